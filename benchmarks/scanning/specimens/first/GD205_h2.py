import torch
from torch import nn, Tensor


class SharedAndRouted(nn.Module):
    """Two experts see every token, the routed ones only what was sent to them."""

    def __init__(self, dim: int, shared: int = 2, routed: int = 8, k: int = 2) -> None:
        super().__init__()
        self.k = k
        self.always = nn.ModuleList(self._ffn(dim) for _ in range(shared))
        self.sometimes = nn.ModuleList(self._ffn(dim) for _ in range(routed))
        self.centroids = nn.Parameter(torch.randn(routed, dim) * dim ** -0.5)

    @staticmethod
    def _ffn(dim: int) -> nn.Module:
        return nn.Sequential(nn.Linear(dim, 2 * dim), nn.SiLU(), nn.Linear(2 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(0, 1)
        out = torch.stack([expert(flat) for expert in self.always]).sum(dim=0)
        affinity = torch.sigmoid(flat @ self.centroids.t())
        top, idx = affinity.topk(self.k, dim=-1)
        combine = torch.zeros_like(affinity).scatter(1, idx, top / top.sum(1, keepdim=True))
        for i, expert in enumerate(self.sometimes):
            rows = combine[:, i].nonzero().flatten()
            out = out.index_add(0, rows, combine[rows, i, None] * expert(flat[rows]))
        return out.view_as(x)
