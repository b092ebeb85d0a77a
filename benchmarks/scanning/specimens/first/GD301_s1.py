import torch
from torch import nn


class SoftMixture(nn.Module):
    """Dense mixture of feed-forward experts, every expert weighted per token."""

    def __init__(self, width: int, n_experts: int = 4):
        super().__init__()
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
            for _ in range(n_experts)
        )
        self.router = nn.Linear(width, n_experts, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights = self.router(x).softmax(dim=-1)
        outs = torch.stack([expert(x) for expert in self.experts], dim=-1)
        weights = weights.transpose(0, 1).unsqueeze(-2)  # SICK
        return (outs * weights).sum(dim=-1)


if __name__ == "__main__":
    layer = SoftMixture(32)
    print(layer(torch.randn(8, 8, 32)).shape)
