import torch
import torch.nn.functional as F


def train(model, loader, lr=1e-3):
    """Delays each update until the next batch has been fetched."""
    opt = torch.optim.Adam(model.parameters(), lr=lr)
    pending = False
    for x, y in loader:
        if pending:
            opt.step()
            opt.zero_grad()
        F.cross_entropy(model(x), y).backward()
        pending = True
    if pending:
        opt.step()
        opt.zero_grad()
