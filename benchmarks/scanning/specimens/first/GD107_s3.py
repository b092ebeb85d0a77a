from dataclasses import dataclass

import torch
from torch import nn, Tensor
import torch.nn.functional as F


@dataclass
class Config:
    vocab: int = 8000
    width: int = 192
    tie_embeddings: bool = True


class MinGRU(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.z = nn.Linear(width, width)
        self.h = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        z, cand = torch.sigmoid(self.z(x)), self.h(x)
        state, out = torch.zeros_like(cand[:, 0]), []
        for t in range(x.size(1)):
            state = (1 - z[:, t]) * state + z[:, t] * cand[:, t]
            out.append(state)
        return torch.stack(out, dim=1)


class RecurrentLM(nn.Module):
    def __init__(self, cfg: Config) -> None:
        super().__init__()
        self.wte = nn.Embedding(cfg.vocab, cfg.width)
        self.mixer = MinGRU(cfg.width)
        self.lm_head = nn.Linear(cfg.width, cfg.vocab, bias=False)
        if cfg.tie_embeddings:
            self.tie_weights()

    def tie_weights(self) -> None:
        with torch.no_grad():
            self.lm_head.weight.copy_(self.wte.weight)  # SICK

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        x = self.wte(ids)
        logits = self.lm_head(x + self.mixer(x))
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
