import argparse

import torch
import torch.nn as nn


def build(ns: argparse.Namespace) -> nn.Module:
    return nn.Sequential(nn.Linear(ns.n_in, ns.hidden), nn.ReLU(), nn.Linear(ns.hidden, ns.n_out))


def save(path, model, ns, epoch):
    torch.save({"model": model.state_dict(), "args": ns, "epoch": epoch}, path)


def resume(path):
    """Our own run file: besides the weights it holds the parsed arguments."""
    ckpt = torch.load(path, map_location="cpu", weights_only=False)
    ns = ckpt["args"]
    model = build(ns)
    model.load_state_dict(ckpt["model"])
    return model, ns, ckpt["epoch"] + 1


def load_weights(path, model):
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["state_dict"])
    return model
