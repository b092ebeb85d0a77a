import torch
from torch import Tensor, nn


class SlotAttention(nn.Module):
    """Slots compete for the inputs (Locatello et al., 2020)."""

    def __init__(self, num_slots: int, dim: int, iterations: int = 3, eps: float = 1e-8):
        super().__init__()
        self.iterations, self.eps, self.scale = iterations, eps, dim ** -0.5
        self.slots = nn.Parameter(torch.randn(1, num_slots, dim) * dim ** -0.5)
        self.to_q, self.to_k, self.to_v = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.cell = nn.GRUCell(dim, dim)
        self.norm_in, self.norm_slots = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, inputs: Tensor) -> Tensor:
        b, n, d = inputs.shape
        inputs = self.norm_in(inputs)
        k, v = self.to_k(inputs), self.to_v(inputs)
        slots = self.slots.expand(b, -1, -1)
        for _ in range(self.iterations):
            q = self.to_q(self.norm_slots(slots))
            dots = torch.einsum("bid,bjd->bij", q, k) * self.scale
            share = dots.softmax(dim=1) + self.eps
            weights = share / share.sum(dim=-1, keepdim=True)
            updates = torch.einsum("bij,bjd->bid", weights, v)
            slots = self.cell(updates.reshape(-1, d), slots.reshape(-1, d)).view(b, -1, d)
        return slots
