import torch
from torch import Tensor


def flatten_distribution(p: Tensor, temperature: float) -> Tensor:
    powered = p ** (1 / temperature)
    return powered / powered.sum(-1, keepdim=True)


def unigram_negatives(counts: Tensor, n: int, smoothing: float = 0.75) -> Tensor:
    """word2vec negative sampling, counts raised to 3/4."""
    weights = counts.float().pow(smoothing)
    return torch.multinomial(weights, n, replacement=True)


@torch.no_grad()
def sample(model, ids: Tensor, steps: int, ctx: int, temperature: float) -> Tensor:
    for _ in range(steps):
        p = torch.softmax(model(ids[:, -ctx:])[:, -1], dim=-1)
        p = flatten_distribution(p, temperature)
        ids = torch.cat([ids, torch.multinomial(p, 1)], dim=1)
    return ids
