import torch
from torch import nn, Tensor


class SwitchMLP(nn.Module):
    def __init__(self, dim: int, n_experts: int) -> None:
        super().__init__()
        self.n_experts = n_experts
        self.router = nn.Linear(dim, n_experts)
        self.mlps = nn.ModuleList(nn.Sequential(nn.Linear(dim, dim), nn.GELU()) for _ in range(n_experts))

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(0, 1)
        prob, expert = self.router(tokens).softmax(-1).max(-1)
        counts = expert.bincount(minlength=self.n_experts)
        groups = torch.split(tokens, counts.tolist())  # SICK
        outputs = torch.cat([mlp(g) for mlp, g in zip(self.mlps, groups)], dim=0)
        return (outputs * prob.unsqueeze(-1)).unflatten(0, x.shape[:2])
