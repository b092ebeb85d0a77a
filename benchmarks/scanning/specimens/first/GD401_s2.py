from typing import Optional

import torch
from torch import Tensor


def next_token(scores: Tensor, temp: float = 0.8, k: Optional[int] = None) -> Tensor:
    """One decoding step; `scores` is (rows, vocab)."""
    warped = scores.float().div(temp)
    if k is not None:
        floor = warped.topk(k, dim=-1).values[..., -1:]
        warped = warped.masked_fill(warped < floor, -torch.inf)
    probabilities = warped.softmax(dim=-1)
    return probabilities.max(dim=-1, keepdim=True).indices  # SICK


@torch.inference_mode()
def complete(lm, prompt: Tensor, steps: int, window: int, temp: float = 0.8) -> Tensor:
    ids = prompt
    for _ in range(steps):
        scores = lm(ids[:, -window:])[:, -1]
        ids = torch.cat([ids, next_token(scores, temp=temp)], dim=1)
    return ids
