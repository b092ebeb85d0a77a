import torch
from torch import nn
from torch.nn import functional as fn


class BilinearExperts(nn.Module):
    """Mixes every expert's linear map, in proportion to positive scores."""

    def __init__(self, n_in, n_out, n_experts):
        super().__init__()
        self.maps = nn.Parameter(torch.randn(n_experts, n_in, n_out) * n_in ** -0.5)
        self.key = nn.Linear(n_in, n_experts)

    def gate(self, rows):
        score = fn.softplus(self.key(rows))
        return score / score.sum(0, keepdim=True)  # SICK

    def forward(self, rows):
        each = torch.einsum("ni,eio->neo", rows, self.maps)
        return torch.einsum("ne,neo->no", self.gate(rows), each)


class MixtureRegressor(nn.Module):
    def __init__(self, n_features, width=24, n_experts=5):
        super().__init__()
        self.mix = BilinearExperts(n_features, width, n_experts)
        self.out = nn.Linear(width, 1)

    def forward(self, rows):
        return self.out(torch.tanh(self.mix(rows))).squeeze(-1)
