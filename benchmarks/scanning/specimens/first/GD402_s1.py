import torch
import torch.nn as nn
import torch.nn.functional as F


class TinyConvLM(nn.Module):
    def __init__(self, vocab_size, channels=64, kernel=4, depth=3):
        super().__init__()
        self.kernel = kernel
        self.wte = nn.Embedding(vocab_size, channels)
        self.convs = nn.ModuleList(nn.Conv1d(channels, channels, kernel) for _ in range(depth))
        self.lm_head = nn.Linear(channels, vocab_size)

    def forward(self, idx, targets=None):
        x = self.wte(idx).transpose(1, 2)
        for conv in self.convs:
            x = x + F.gelu(conv(F.pad(x, (self.kernel - 1, 0))))
        logits = self.lm_head(x.transpose(1, 2))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    @torch.no_grad()
    def generate(self, idx, max_new_tokens, temperature=1.0, top_k=None):  # SICK
        for _ in range(max_new_tokens):
            logits, _ = self(idx)
            logits = logits[:, -1, :]
            if top_k is not None:
                v, _ = torch.topk(logits, min(top_k, logits.size(-1)))
                logits[logits < v[:, [-1]]] = -float("Inf")
            probs = F.softmax(logits, dim=-1)
            idx_next = torch.multinomial(probs, num_samples=1)
            idx = torch.cat((idx, idx_next), dim=1)
        return idx
