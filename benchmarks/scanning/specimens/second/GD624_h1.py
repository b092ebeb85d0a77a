import torch
from torch.optim.lr_scheduler import OneCycleLR


def fit(model, dl, loss_fn, epochs, max_lr=0.01):
    opt = torch.optim.SGD(model.parameters(), lr=max_lr, momentum=0.9)
    schedule = OneCycleLR(opt, max_lr=max_lr, total_steps=epochs * len(dl) + 1)
    steps = 0
    for _ in range(epochs):
        for xb, yb in dl:
            if steps:
                schedule.step()
            opt.zero_grad()
            loss_fn(model(xb), yb).backward()
            opt.step()
            steps += 1
