from typing import Tuple

import torch
from torch import Tensor, nn


class FaceMultiTask(nn.Module):
    """Age regression, gender and expression classification with learned uncertainty weights."""

    def __init__(self, num_expressions: int, width: int = 32):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, 2, 1), nn.BatchNorm2d(2 * width), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )
        self.age = nn.Linear(2 * width, 1)
        self.gender = nn.Linear(2 * width, 1)
        self.expression = nn.Linear(2 * width, num_expressions)
        self.log_vars = nn.Parameter(torch.zeros(3))

    def forward(self, images: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        z = self.trunk(images)
        return self.age(z).squeeze(1), self.gender(z).squeeze(1), self.expression(z)

    def loss(self, outputs: Tuple[Tensor, Tensor, Tensor], age: Tensor, gender: Tensor, expression: Tensor) -> Tensor:
        a, g, e = outputs
        losses = torch.stack([
            nn.functional.smooth_l1_loss(a, age),
            nn.functional.binary_cross_entropy_with_logits(g, gender),
            nn.functional.cross_entropy(e, expression),
        ])
        return (torch.exp(-self.log_vars) * losses + self.log_vars).sum()
