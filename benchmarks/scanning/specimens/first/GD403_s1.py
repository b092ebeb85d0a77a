import torch
import torch.nn as nn
import torch.nn.functional as F


class Bard(nn.Module):
    def __init__(self, vocab_size, n_embd=128, n_head=4, block_size=256):
        super().__init__()
        self.block_size = block_size
        self.tok = nn.Embedding(vocab_size, n_embd)
        self.pos = nn.Embedding(block_size, n_embd)
        self.ln = nn.LayerNorm(n_embd)
        self.attn = nn.MultiheadAttention(n_embd, n_head, batch_first=True)
        self.head = nn.Linear(n_embd, vocab_size)

    def forward(self, idx, targets=None):
        T = idx.size(1)
        x = self.tok(idx) + self.pos(torch.arange(T, device=idx.device))
        hide = torch.ones(T, T, dtype=torch.bool, device=idx.device).triu(1)
        h = self.ln(x)
        x = x + self.attn(h, h, h, attn_mask=hide, need_weights=False)[0]
        logits = self.head(x)
        loss = None if targets is None else F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
        return logits, loss

    @torch.no_grad()
    def generate(self, idx, max_new_tokens, temperature=1.0):
        for _ in range(max_new_tokens):
            logits, _ = self(idx[:, -self.block_size:])
            probs = F.softmax(logits[:, -1, :] * temperature, dim=-1)  # SICK
            idx = torch.cat((idx, torch.multinomial(probs, num_samples=1)), dim=1)
        return idx
