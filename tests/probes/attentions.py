"""Attention in many styles, as the text of one method `forward(self, x)` with B, T, C, H, D."""

from __future__ import annotations

HEAD = """
class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.h = heads
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x):
        B, T, C = x.shape
        H, D = self.h, C // self.h
BODY

class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768, n_heads=4):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.att = Attention(dim, n_heads)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx, targets=None):
        x = self.e(idx)
        logits = LOGITS
        if targets is None:
            return logits, None
        each = F.cross_entropy(
            logits.reshape(-1, logits.size(-1)), targets.flatten(), reduction="none"
        )
        return logits, LOSS
"""
HEALTHY = {
    "good": """
        q = self.q(x).view(B, T, H, D).transpose(1, 2)
        k = self.k(x).view(B, T, H, D).transpose(1, 2)
        v = self.v(x).view(B, T, H, D).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o(y.transpose(1, 2).reshape(B, T, C))
""",
    "rel-shift": """
        q = self.q(x).view(B, T, H, D).transpose(1, 2)
        k = self.k(x).view(B, T, H, D).transpose(1, 2)
        v = self.v(x).view(B, T, H, D).transpose(1, 2)
        s = q @ k.transpose(-2, -1) / D ** 0.5
        r = q @ k.transpose(-2, -1)
        r = F.pad(r, (1, 0)).view(B, H, T + 1, T)[:, :, 1:].reshape(B, H, T, T)
        s = s + 0.01 * r.tril()
        s = s.masked_fill(torch.ones(T, T).triu(1).bool(), float('-inf'))
        return self.o((s.softmax(-1) @ v).transpose(1, 2).reshape(B, T, C))
""",
    "rel-shift-with-memory": """
        M = 6
        q = self.q(x).transpose(0, 1).reshape(T, B, H, D)
        k = torch.cat([torch.zeros(M, B, C), self.k(x).transpose(0, 1)]).view(T + M, B, H, D)
        v = torch.cat([torch.zeros(M, B, C), self.v(x).transpose(0, 1)]).view(T + M, B, H, D)
        s = torch.einsum("ibnd,jbnd->ijbn", q, k)
        r = torch.cat([torch.zeros(T, 1, B, H), s], 1).view(T + M + 1, T, B, H)[1:].view_as(s)
        late = torch.ones(T, T + M).triu(1 + M).bool()[:, :, None, None]
        s = (s + r).masked_fill(late, float("-inf")).softmax(1)
        return self.o(torch.einsum("ijbn,jbnd->bind", s, v).reshape(B, T, C))
""",
    "alibi": """
        q = self.q(x).view(B, T, H, D).transpose(1, 2)
        k = self.k(x).view(B, T, H, D).transpose(1, 2)
        v = self.v(x).view(B, T, H, D).transpose(1, 2)
        i = torch.arange(T)
        bias = -(i[:, None] - i[None, :]).abs() * torch.arange(1, H + 1)[:, None, None] / 8.0
        mask = bias.masked_fill(i[None, :] > i[:, None], float("-inf"))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.o(y.transpose(1, 2).reshape(B, T, C))
""",
    "chunks": """
        w = 4
        pad = (-T) % w
        z = F.pad(x, (0, 0, 0, pad)).view(B, (T + pad) // w, w, C)
        z = z.cumsum(2).reshape(B, T + pad, C)[:, :T]
        return self.o(z + self.q(x) + self.k(x) + self.v(x))
""",
    "cancel": """
        q = self.q(x).view(B, T, H, D).transpose(1, 2)
        k = self.k(x).view(B, T, H, D).transpose(1, 2)
        v = self.v(x).view(B, T, H, D).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = (x.view(B, H, T, D) / 2).view(B, T, C)
        return self.o(x + y.transpose(1, 2).reshape(B, T, C))
""",
    "heads-first-flat": """
        q = self.q(x).view(B, T, H, D).permute(0, 2, 1, 3).reshape(B * H, T, D)
        k = self.k(x).view(B, T, H, D).permute(0, 2, 1, 3).reshape(B * H, T, D)
        v = self.v(x).view(B, T, H, D).permute(0, 2, 1, 3).reshape(B * H, T, D)
        q, k, v = (t.view(B, H, T, D) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o(y.transpose(1, 2).reshape(B, T, C))
""",
    "gqa": """
        q = self.q(x).view(B, T, H, D).transpose(1, 2)
        k = self.k(x).view(B, T, H, D)[:, :, : H // 2].transpose(1, 2)
        k = k[:, :, None].expand(B, H // 2, 2, T, D).reshape(B, H, T, D)
        v = self.v(x).view(B, T, H, D).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o(y.transpose(1, 2).reshape(B, T, C))
""",
    "unbind": """
        q = self.q(x).view(B, T, H, D).transpose(1, 2)
        k = self.k(x).view(B, T, H, D).transpose(1, 2)
        v = self.v(x).view(B, T, H, D).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o(torch.cat(y.unbind(1), -1))
""",
    "outer-bias": """
        q = self.q(x).view(B, T, H, D).transpose(1, 2)
        k = self.k(x).view(B, T, H, D).transpose(1, 2)
        v = self.v(x).view(B, T, H, D).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        i = torch.arange(T).float()
        y = y * (1 + 0 * (i[:, None] + i).mean())
        return self.o(y.transpose(1, 2).reshape(B, T, C))
""",
}
# The line that mixes positions ends with "# here".
MIXED = {
    "heads-before-positions": """
        q = self.q(x).view(B, H, T, D)  # here
        k = self.k(x).view(B, T, H, D).transpose(1, 2)
        v = self.v(x).view(B, T, H, D).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o(y.transpose(1, 2).reshape(B, T, C))
""",
    "merged-unturned": """
        q = self.q(x).view(B, T, H, D).transpose(1, 2)
        k = self.k(x).view(B, T, H, D).transpose(1, 2)
        v = self.v(x).view(B, T, H, D).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o(y.reshape(B, T, C))  # here
""",
    "rows-and-heads": """
        q = self.q(x).view(B, T, H, D).transpose(1, 2)
        k = self.k(x).view(B, T, H, D).transpose(1, 2)
        v = self.v(x).reshape(B * H, T, D).view(B, H, T, D)  # here
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o(y.transpose(1, 2).reshape(B, T, C))
""",
    "a column more, and not shifted": """
        z = F.pad(self.q(x), (0, 1)).view(B, C + 1, T)[..., :C, :]  # here
        return self.o(z.cumsum(-1).transpose(1, 2) + self.k(x) + self.v(x))
""",
    "channels": """
        z = self.q(x).view(B, C, T)  # here
        return self.o(z.cumsum(-1).transpose(1, 2) + self.k(x) + self.v(x))
""",
    "positions-first": """
        z = self.q(x).reshape(T, B, C)  # here
        return self.o(z.cumsum(0).transpose(0, 1) + self.k(x) + self.v(x))
""",
}
