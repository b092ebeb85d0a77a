import torch
from torch import Tensor, nn
from torch import distributions as td


class DiscreteLatent(nn.Module):
    """Categorical latents with 1% uniform mixing, as in DreamerV3."""

    def __init__(self, d_in: int, groups: int = 32, classes: int = 32, unimix: float = 0.01):
        super().__init__()
        self.groups, self.classes, self.unimix = groups, classes, unimix
        self.proj = nn.Linear(d_in, groups * classes)

    def _mixed(self, h: Tensor) -> Tensor:
        raw = self.proj(h).unflatten(-1, (self.groups, self.classes))
        p = raw.softmax(dim=-1)
        return (1 - self.unimix) * p + self.unimix / self.classes

    def dist(self, h: Tensor) -> td.Independent:
        params = self._mixed(h)
        base = td.OneHotCategoricalStraightThrough(logits=params)  # SICK
        return td.Independent(base, 1)

    def forward(self, h: Tensor):
        d = self.dist(h)
        return d.rsample().flatten(-2), d.entropy()
