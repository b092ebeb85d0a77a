from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class Config:
    vocab_size: int = 65
    n_embd: int = 64
    block_size: int = 32


class AttnLM(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.qkv = nn.Linear(config.n_embd, 3 * config.n_embd)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size)

    def forward(self, idx, targets=None):
        x = self.wte(idx) + self.wpe.weight[: idx.size(1)]
        q, k, v = self.qkv(x).split(self.config.n_embd, dim=-1)
        logits = self.lm_head(x + F.scaled_dot_product_attention(q, k, v, is_causal=True))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    @torch.no_grad()
    def sample_sequences(self, n, length):
        idx = torch.zeros(n, 1, dtype=torch.long, device=self.lm_head.weight.device)
        while idx.size(1) <= length:
            logits, _ = self(idx[:, -self.config.block_size:])
            ranked = logits[:, -1].sort(dim=-1, descending=True).indices
            idx = torch.cat([idx, ranked[:, :1]], dim=1)  # SICK
        return idx[:, 1:]
