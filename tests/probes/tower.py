"""A small transformer as text, of which tests change a line."""

from __future__ import annotations

TRANSFORMER = """
class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) / (C // self.heads) ** 0.5
        seen = torch.tril(torch.ones(T, T))
        scores = scores.masked_fill(seen == 0, float("-inf"))
        weights = scores.softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(B, T, C))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = Attention(dim, heads)
        self.up = nn.Linear(dim, 2 * dim)
        self.down = nn.Linear(2 * dim, dim)

    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        x = x + self.down(F.gelu(self.up(self.ln2(x))))
        return x


class Model(nn.Module):
    def __init__(self, vocab_size, dim, heads, n_layers):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, dim)
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(n_layers))
        self.ln = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, vocab_size, bias=False)
        self.apply(self._init)

    def _init(self, m):
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, std=0.02)
            if m.bias is not None:
                nn.init.zeros_(m.bias)
        elif isinstance(m, nn.Embedding):
            nn.init.normal_(m.weight, std=0.03)

    def forward(self, idx):
        x = self.emb(idx)
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln(x))
"""
ATTEND = "x = x + self.attn(self.ln1(x))"
FEED = "x = x + self.down(F.gelu(self.up(self.ln2(x))))"
LAST = "return self.head(self.ln(x))"
LINEAR_INIT = "nn.init.normal_(m.weight, std=0.02)"
SCORES = "scores = q @ k.transpose(-2, -1) / (C // self.heads) ** 0.5"


def changed(*changes: tuple[str, str]) -> str:
    """The transformer with some of its text exchanged; each text has to be there."""
    text = TRANSFORMER
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text
