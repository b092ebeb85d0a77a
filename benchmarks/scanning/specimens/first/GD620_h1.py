import torch
import torch.nn.functional as F


def train(model, loader, lr=1e-3):
    opt = torch.optim.Adam(model.parameters(), lr=lr)
    step, clear = opt.step, opt.zero_grad
    for x, y in loader:
        clear()
        F.cross_entropy(model(x), y).backward()
        step()


def train_with(hooks, model, loader):
    for x, y in loader:
        loss = F.mse_loss(model(x), y)
        for stage in (hooks.clear, loss.backward, hooks.step):
            stage()
