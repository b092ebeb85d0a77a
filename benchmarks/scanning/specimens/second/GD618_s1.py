import torch
import torch.nn.functional as F


def train(model, train_dl, val_dl, opt, epochs):
    model.train()
    for epoch in range(epochs):
        for x, y in train_dl:
            opt.zero_grad()
            F.cross_entropy(model(x), y).backward()
            opt.step()
        model.eval()  # SICK
        hits = n = 0
        with torch.no_grad():
            for x, y in val_dl:
                hits += (model(x).argmax(1) == y).sum().item()
                n += y.numel()
        print(epoch, hits / n)
