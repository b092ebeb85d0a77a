import torch
from torch import Tensor, nn
from torch.nn import functional as fn


class GraphAttention(nn.Module):
    """Dense graph attention; nodes without neighbours receive nothing."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.lift = nn.Linear(width, width, bias=False)
        self.source = nn.Parameter(torch.randn(heads, width // heads) * 0.1)
        self.target = nn.Parameter(torch.randn(heads, width // heads) * 0.1)

    def forward(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        h = self.lift(nodes).unflatten(-1, (self.heads, -1))
        receive = (h * self.target).sum(-1).t().unsqueeze(2)
        send = (h * self.source).sum(-1).t().unsqueeze(1)
        scores = fn.leaky_relu(receive + send, 0.2)
        absent = adjacency.logical_not()
        scores = scores.masked_fill(absent, torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=-1).masked_fill(absent, 0.0)
        return torch.einsum("hij,jhd->ihd", weights, h).flatten(1)
