import torch
from torch import Tensor, nn
from torch.distributions import Categorical


class MaskedPolicy(nn.Module):
    """Board-game policy; illegal moves get no probability."""

    def __init__(self, board: int, moves: int, eps: float = 0.02):
        super().__init__()
        self.eps = eps
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(board, 128), nn.ReLU())
        self.move = nn.Linear(128, moves)

    def forward(self, state: Tensor, legal: Tensor) -> Categorical:
        scores = self.move(self.trunk(state)).masked_fill(~legal, float("-inf"))
        p = scores.softmax(dim=-1)
        uniform = legal / legal.sum(dim=-1, keepdim=True)
        mixed = (1 - self.eps) * p + self.eps * uniform
        return Categorical(probs=mixed)

    def loss(self, state: Tensor, legal: Tensor, move: Tensor, outcome: Tensor) -> Tensor:
        return -(self(state, legal).log_prob(move) * outcome).mean()
