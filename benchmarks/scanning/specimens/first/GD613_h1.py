import torch
import torch.nn.functional as F


def train(encoder, head, loader, lr=1e-3, warm=100):
    """The encoder stays as it is for the first `warm` batches."""
    opt = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=lr)
    for i, (x, y) in enumerate(loader):
        opt.zero_grad()
        F.cross_entropy(head(encoder(x)), y).backward()
        if i < warm:
            encoder.zero_grad(set_to_none=True)
        opt.step()
