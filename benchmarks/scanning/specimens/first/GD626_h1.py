import torch
import torch.nn.functional as F


def train(trunk, a, b, batches, lr=1e-3):
    """Two heads over one trunk, each with its own backward pass."""
    params = [p for m in (trunk, a, b) for p in m.parameters()]
    opt = torch.optim.Adam(params, lr=lr)
    for x, ya, yb in batches:
        z = trunk(x)
        opt.zero_grad()
        F.mse_loss(a(z), ya).backward(retain_graph=True)
        F.cross_entropy(b(z), yb).backward()
        opt.step()
