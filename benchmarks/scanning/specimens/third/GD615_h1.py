import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_


def optimise(loss, model, optimizer, max_norm=None, max_value=None):
    optimizer.zero_grad()
    loss.backward()
    norm = None
    if max_value is not None:
        clip_grad_value_(model.parameters(), max_value)
    if max_norm is not None:
        norm = clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return norm


def train(model, loader, epochs=2, weight_limit=3.0):
    opt = torch.optim.Adam(model.parameters())
    for _ in range(epochs):
        for x, y in loader:
            norm = optimise(nn.functional.mse_loss(model(x), y), model, opt, max_norm=1.0)
            for p in model.parameters():
                p.data.clamp_(-weight_limit, weight_limit)
        print("grad norm", float(norm))
