import torch
from torch import nn, Tensor
import torch.nn.functional as F


class ExpertChoiceLayer(nn.Module):
    """Expert choice (Zhou et al.): scores over experts, then each expert takes its best tokens."""

    def __init__(self, dim: int, n_experts: int, capacity_factor: float = 2.0) -> None:
        super().__init__()
        self.capacity_factor = capacity_factor
        self.router = nn.Linear(dim, n_experts, bias=False)
        self.w1 = nn.Parameter(torch.randn(n_experts, dim, 2 * dim) * dim ** -0.5)
        self.w2 = nn.Parameter(torch.randn(n_experts, 2 * dim, dim) * (2 * dim) ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(0, 1)
        n, e = flat.size(0), self.router.out_features
        take = min(n, int(self.capacity_factor * n / e) or 1)
        affinity = F.softmax(self.router(flat), dim=-1)
        weight, rows = affinity.topk(take, dim=0)
        picked = flat[rows.t()]
        done = torch.bmm(F.relu(torch.bmm(picked, self.w1)), self.w2)
        done = done * weight.t().unsqueeze(-1)
        out = torch.zeros_like(flat).index_add(0, rows.t().reshape(-1), done.flatten(0, 1))
        return x + out.view_as(x)
