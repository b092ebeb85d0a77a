import numpy as np
import torch
from torch import nn


class SpectrumNet(nn.Module):
    def __init__(self, bins: int, classes: int):
        super().__init__()
        self.lift = nn.Linear(bins, 128)
        self.cls = nn.Linear(128, classes)

    def forward(self, spec):
        h = torch.relu(self.lift(spec))
        arr = h.detach().cpu().numpy()  # SICK
        arr = np.clip(arr, 0.0, 6.0)
        h = torch.from_numpy(arr).to(spec.device)
        return self.cls(h)
