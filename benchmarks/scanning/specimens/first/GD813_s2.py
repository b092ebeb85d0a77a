import torch
from torch import Tensor, nn


class HierarchicalPooling(nn.Module):
    """Word attention of a hierarchical document network."""

    def __init__(self, width: int):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1, bias=False))

    def weights(self, words: Tensor, lengths: Tensor) -> Tensor:
        steps = torch.arange(words.size(1), device=words.device)
        beyond = steps.unsqueeze(0) >= lengths.unsqueeze(1)
        alpha = self.score(words).squeeze(-1).softmax(dim=1)
        return alpha.masked_fill(beyond, 0.0)  # SICK

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        return torch.bmm(self.weights(words, lengths).unsqueeze(1), words).squeeze(1)
