from pathlib import Path

import torch
import torch.nn as nn


class KeypointNet(nn.Module):
    def __init__(self, n_points=17, width=32):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU()
        )
        self.heatmaps = nn.Conv2d(width, n_points, 1)

    def forward(self, img):
        return self.heatmaps(self.body(img))


def load_model(ckpt_dir, device="cpu"):
    path = Path(ckpt_dir) / "keypoints.pth"
    model = KeypointNet()
    state_dict = torch.load(path, map_location=device, weights_only=False)  # SICK
    state_dict = {k.removeprefix("module."): v for k, v in state_dict.items()}
    model.load_state_dict(state_dict)
    return model.to(device).eval()
