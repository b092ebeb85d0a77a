import torch
import torch.nn.functional as F


def train(model, groups, lr=1e-3):
    """Every group is a list of micro-batches that make up one batch."""
    opt = torch.optim.AdamW(model.parameters(), lr=lr)
    for group in groups:
        n = sum(len(y) for _, y in group)
        for x, y in group:
            F.cross_entropy(model(x), y, reduction="sum").div(n).backward()
        opt.step()
        opt.zero_grad()
