import json

import torch
from torch import nn


class Loader:
    """Reads weights and, beside them, their settings."""

    def __init__(self, folder):
        with open(f"{folder}/config.json") as f:
            self.cfg = json.load(f)
        self.folder = folder

    def load(self, strict=True, weights_only=True):
        net = nn.Linear(self.cfg["d_in"], self.cfg["d_out"])
        state = torch.load(f"{self.folder}/weights.pt", weights_only=weights_only)
        net.load_state_dict(state, strict=strict)
        return net
