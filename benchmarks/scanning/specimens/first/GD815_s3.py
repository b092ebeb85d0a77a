from dataclasses import dataclass
from typing import Optional

import torch
from torch import Tensor, nn
from torch.nn import functional as fn


@dataclass
class MelodyConfig:
    pitches: int = 130
    width: int = 64
    heads: int = 4
    depth: int = 2


class Layer(nn.Module):
    def __init__(self, cfg: MelodyConfig):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(cfg.width), nn.LayerNorm(cfg.width)
        self.mix = nn.MultiheadAttention(cfg.width, cfg.heads, batch_first=True)
        self.ff = nn.Sequential(nn.Linear(cfg.width, 256), nn.SiLU(), nn.Linear(256, cfg.width))

    def forward(self, x: Tensor, mask: Optional[Tensor] = None) -> Tensor:
        h = self.n1(x)
        x = x + self.mix(h, h, h, attn_mask=mask, need_weights=False)[0]
        return x + self.ff(self.n2(x))


class MelodyModel(nn.Module):
    def __init__(self, cfg: MelodyConfig):
        super().__init__()
        self.notes = nn.Embedding(cfg.pitches, cfg.width)
        self.layers = nn.ModuleList([Layer(cfg) for _ in range(cfg.depth)])
        self.head = nn.Linear(cfg.width, cfg.pitches)

    @staticmethod
    def causal_mask(n: int, device: torch.device) -> Tensor:
        return torch.full((n, n), float("-inf"), device=device).triu(diagonal=1)

    def forward(self, notes: Tensor, labels: Optional[Tensor] = None) -> dict:
        x = self.notes(notes)
        mask = self.causal_mask(notes.shape[1], notes.device)  # SICK
        for layer in self.layers:
            x = layer(x)
        logits = self.head(x)
        if labels is None:
            return {"logits": logits}
        return {"logits": logits, "loss": fn.cross_entropy(logits[:, :-1].mT, labels[:, 1:])}
