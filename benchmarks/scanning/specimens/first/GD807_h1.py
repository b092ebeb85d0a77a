import torch
import torch.nn as nn


class CenteredHead(nn.Module):
    """Projection head with a moving centre, as in self-distillation."""

    def __init__(self, in_dim, out_dim, momentum=0.9):
        super().__init__()
        self.last = nn.Linear(in_dim, out_dim)
        self.momentum = momentum
        self.register_buffer("center", torch.zeros(1, out_dim))

    @torch.no_grad()
    def _move_center(self, outputs):
        batch_center = outputs.mean(dim=0, keepdim=True)
        self.center = self.center * self.momentum + batch_center * (1 - self.momentum)

    def forward(self, features):
        outputs = self.last(features)
        centered = outputs - self.center
        if not self.training:
            return centered
        self._move_center(outputs)
        return centered
