from pathlib import Path
import torch
import torch.nn as nn


def build_model(width=128):
    return nn.Sequential(nn.Linear(32, width), nn.ReLU(), nn.Linear(width, 4))


def load_for_inference(path: Path, device="cpu"):
    model = build_model()
    kwargs = dict(map_location=device, weights_only=True)
    ckpt = torch.load(path, **kwargs)
    model.load_state_dict(ckpt["model"])
    return model.to(device).eval()
