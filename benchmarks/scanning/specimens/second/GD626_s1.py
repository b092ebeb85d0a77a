import torch
import torch.nn as nn


def train_gru(cell: nn.GRU, head: nn.Linear, batches):
    params = list(cell.parameters()) + list(head.parameters())
    opt = torch.optim.Adam(params, lr=1e-3)
    for x, y in batches:
        opt.zero_grad()
        out, _ = cell(x)
        pred = head(out[:, -1])
        loss = nn.functional.mse_loss(pred, y)
        loss.backward(retain_graph=True)  # SICK
        opt.step()
