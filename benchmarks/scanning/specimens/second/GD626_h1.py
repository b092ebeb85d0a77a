import torch
import torch.nn as nn


def train_two_losses(cell: nn.GRU, head: nn.Linear, batches):
    params = list(cell.parameters()) + list(head.parameters())
    opt = torch.optim.Adam(params, lr=1e-3)
    for x, y in batches:
        opt.zero_grad()
        out, _ = cell(x)
        fit = nn.functional.mse_loss(head(out[:, -1]), y)
        smooth = (out[:, 1:] - out[:, :-1]).pow(2).mean()
        fit.backward(retain_graph=True)
        (0.1 * smooth).backward()
        opt.step()
