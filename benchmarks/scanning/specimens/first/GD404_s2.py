import torch
from torch import Tensor
from torch.distributions import Categorical


class NucleusFreeSampler:
    def __init__(self, temperature: float = 0.7, context: int = 512):
        self.temperature = temperature
        self.context = context

    def distribution(self, logits: Tensor) -> Categorical:
        probs = logits.softmax(-1)
        return Categorical(probs=probs.div(self.temperature))  # SICK

    @torch.no_grad()
    def __call__(self, lm, ids: Tensor, n: int) -> Tensor:
        for _ in range(n):
            out = lm(ids[:, -self.context:])
            token = self.distribution(out[:, -1, :]).sample()
            ids = torch.cat([ids, token.unsqueeze(-1)], dim=-1)
        return ids
