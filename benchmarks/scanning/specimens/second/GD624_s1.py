import torch
from torch.optim.lr_scheduler import OneCycleLR


def fit(model, dl, loss_fn, epochs, max_lr=0.01):
    opt = torch.optim.SGD(model.parameters(), lr=max_lr, momentum=0.9)
    schedule = OneCycleLR(opt, max_lr=max_lr, total_steps=epochs * len(dl) + 1)
    for _ in range(epochs):
        for xb, yb in dl:
            opt.zero_grad()
            loss = loss_fn(model(xb), yb)
            loss.backward()
            schedule.step()  # SICK
            opt.step()
