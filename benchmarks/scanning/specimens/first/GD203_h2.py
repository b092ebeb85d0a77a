import torch
from torch import nn, Tensor
from torch.nn import functional as fn


class CapacityMoE(nn.Module):
    """GShard-like dispatch and combine tensors with one choice a token."""

    def __init__(self, dim: int, experts: int, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.gate = nn.Linear(dim, experts, bias=False)
        self.w_up = nn.Parameter(torch.randn(experts, dim, 2 * dim) * dim ** -0.5)
        self.w_down = nn.Parameter(torch.randn(experts, 2 * dim, dim) * (2 * dim) ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        s = x.flatten(0, -2)
        probs = self.gate(s).softmax(dim=-1)
        onehot = fn.one_hot(probs.argmax(dim=-1), probs.size(-1))
        place = (onehot.cumsum(dim=0) - 1).masked_fill(onehot == 0, self.capacity)
        place = place.clamp(max=self.capacity)
        dispatch = fn.one_hot(place, self.capacity + 1)[..., :-1].to(s.dtype)
        combine = dispatch * probs.unsqueeze(-1)
        inp = torch.einsum("sec,sd->ecd", dispatch, s)
        out = torch.bmm(torch.bmm(inp, self.w_up).relu(), self.w_down)
        return x + torch.einsum("sec,ecd->sd", combine, out).view_as(x)
