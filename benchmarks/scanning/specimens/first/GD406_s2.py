from typing import Callable

import torch
from torch import Tensor


def top_k_filter(scores: Tensor, k: int) -> Tensor:
    best = scores.topk(k, dim=-1)
    kept = torch.zeros_like(scores)  # SICK
    return kept.scatter(-1, best.indices, best.values)


@torch.no_grad()
def continue_text(lm: Callable[[Tensor], Tensor], ids: Tensor, n: int, ctx: int, k: int = 20, temp: float = 1.0):
    for _ in range(n):
        scores = lm(ids[:, -ctx:])[:, -1] / temp
        p = top_k_filter(scores, k).softmax(dim=-1)
        ids = torch.cat([ids, p.multinomial(1)], dim=-1)
    return ids
