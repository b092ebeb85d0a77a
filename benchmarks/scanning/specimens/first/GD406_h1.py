import torch
from torch import Tensor


class TopKWarper:
    def __init__(self, top_k: int, filter_value: float = -float("inf")):
        if top_k < 1:
            raise ValueError("top_k must be positive")
        self.top_k = top_k
        self.filter_value = filter_value

    def __call__(self, scores: Tensor) -> Tensor:
        k = min(self.top_k, scores.size(-1))
        ascending = scores.sort(dim=-1).values
        cutoff = ascending[:, -k].unsqueeze(-1)
        return torch.where(scores >= cutoff, scores, torch.full_like(scores, self.filter_value))


@torch.inference_mode()
def run(model, ids: Tensor, n: int, ctx: int, warper: TopKWarper) -> Tensor:
    for _ in range(n):
        scores = warper(model(ids[:, -ctx:])[:, -1])
        ids = torch.cat([ids, torch.multinomial(scores.softmax(dim=-1), 1)], dim=1)
    return ids
