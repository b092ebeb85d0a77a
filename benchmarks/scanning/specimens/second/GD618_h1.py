import torch
import torch.nn.functional as F


@torch.no_grad()
def accuracy(model, dl):
    model.eval()
    pairs = [(model(x).argmax(1) == y).float() for x, y in dl]
    return torch.cat(pairs).mean().item()


def train(model, train_dl, val_dl, opt, epochs):
    phases = {"train": train_dl, "val": val_dl}
    for epoch in range(epochs):
        for phase, dl in phases.items():
            model.train(phase == "train")
            if phase == "val":
                print(epoch, accuracy(model, dl))
                continue
            for x, y in dl:
                opt.zero_grad()
                F.cross_entropy(model(x), y).backward()
                opt.step()
