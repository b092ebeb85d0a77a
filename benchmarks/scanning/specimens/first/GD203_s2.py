import torch
from torch import nn, Tensor
import torch.nn.functional as fn


class SwitchLayer(nn.Module):
    def __init__(self, dim: int, n_experts: int, aux: float = 0.01) -> None:
        super().__init__()
        self.aux = aux
        self.n = n_experts
        self.switch = nn.Linear(dim, n_experts)
        self.ffn = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n_experts))

    def balance(self, probs: Tensor, route: Tensor) -> Tensor:
        load = fn.one_hot(route, self.n).float().mean(dim=0)
        return self.aux * self.n * (load * probs.mean(dim=0)).sum()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        flat = x.flatten(0, 1)
        probs = fn.softmax(self.switch(flat), dim=-1)
        p_max, route = probs.max(dim=-1)
        pieces = torch.zeros_like(flat)
        for e in range(self.n):
            take = route == e
            pieces[take] = fn.gelu(self.ffn[e](flat[take]))  # SICK
        return pieces.view_as(x), self.balance(probs, route)
