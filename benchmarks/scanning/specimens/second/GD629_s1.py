from pathlib import Path
import torch
import torch.nn as nn


def build_model(width=128):
    return nn.Sequential(nn.Linear(32, width), nn.ReLU(), nn.Linear(width, 4))


def load_for_inference(path: Path, device="cpu"):
    model = build_model()
    ckpt = torch.load(path, map_location=device, weights_only=False)  # SICK
    model.load_state_dict(ckpt["model"])
    return model.to(device).eval()
