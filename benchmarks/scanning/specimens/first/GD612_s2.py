import torch
from torch import nn, Tensor
from torch.nn.functional import mse_loss


class Loop:
    """A minimal trainer for regression."""

    def __init__(self, model: nn.Module, lr: float = 1e-3):
        self.model = model
        self.optim = torch.optim.AdamW(model.parameters(), lr=lr)

    def fit(self, xs: Tensor, ys: Tensor, steps: int) -> list[float]:
        history = []
        for _ in range(steps):
            err = mse_loss(self.model(xs), ys)
            self.optim.step()  # SICK
            self.optim.zero_grad()
            err.backward()
            history.append(err.item())
        return history
