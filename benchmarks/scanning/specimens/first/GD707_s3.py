from typing import Any, Dict

from torch import Tensor, nn


class Backbone(nn.Module):
    """Small convolutional trunk, options go into the checkpoint."""

    def __init__(self, width: int, depth: int = 2, options: Dict[str, Any] = {}):  # SICK
        super().__init__()
        self.options = options
        self._register(width=width, depth=depth)
        stem = [nn.Conv2d(3, width, 3, padding=1)]
        for _ in range(depth):
            stem += [nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)]
        self.body = nn.Sequential(*stem)

    def _register(self, **values: Any) -> None:
        for key, value in values.items():
            self.options[key] = value

    def export(self) -> Dict[str, Any]:
        return {"options": self.options, "weights": self.state_dict()}

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images).mean(dim=(2, 3))
