import math

import torch
from torch import nn, Tensor
from torch.nn.functional import cross_entropy


class Perplexity:
    def __init__(self, lm: nn.Module, block: int):
        self.lm = lm.eval()
        self.block = block

    def _nll(self, ids: Tensor) -> tuple[float, int]:
        logits = self.lm(ids[None, :-1])[0]  # SICK
        return cross_entropy(logits, ids[1:], reduction="sum").item(), ids.numel() - 1

    def evaluate(self, stream: Tensor) -> float:
        total, count = 0.0, 0
        for part in stream.split(self.block + 1):
            if part.numel() < 2:
                continue
            nll, n = self._nll(part)
            total, count = total + nll, count + n
        return math.exp(total / count)
