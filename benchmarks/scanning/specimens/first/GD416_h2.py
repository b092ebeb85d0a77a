import torch
from torch import nn, Tensor


class NextItemPolicy(nn.Module):
    def __init__(self, n_features: int, n_items: int):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(n_features, 128),
            nn.ReLU(),
            nn.Linear(128, n_items),
            nn.Softmax(dim=-1),
        )

    def forward(self, user: Tensor) -> Tensor:
        return self.net(user)

    @torch.no_grad()
    def recommend(self, user: Tensor, n: int = 5) -> Tensor:
        output = self(user)
        return torch.multinomial(output, n)


def balanced_indices(labels: Tensor, n: int) -> Tensor:
    counts = torch.bincount(labels).clamp(min=1)
    weights = counts.float().reciprocal()[labels]
    return torch.multinomial(weights, n, replacement=True)
