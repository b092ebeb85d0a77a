import torch
import torch.nn as nn
from torch.nn import functional as F


class BigramGRU(nn.Module):
    def __init__(self, vocab_size, n_embd=64):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, n_embd)
        self.gru = nn.GRU(n_embd, n_embd, batch_first=True)
        self.lm_head = nn.Linear(n_embd, vocab_size)

    def forward(self, idx, targets=None, state=None):
        x, state = self.gru(self.emb(idx), state)
        logits = self.lm_head(x)
        if targets is None:
            return logits, None, state
        loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
        return logits, loss, state

    @torch.no_grad()
    def generate(self, idx, max_new_tokens, temperature=1.0):
        state, cur = None, idx
        for _ in range(max_new_tokens):
            out, _, state = self(cur, state=state)
            logits = out[:, -1]
            scaled = logits / temperature
            probs = F.softmax(logits, dim=-1)  # SICK
            cur = torch.multinomial(probs, 1)
            idx = torch.cat([idx, cur], dim=1)
        return idx
