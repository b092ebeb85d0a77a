import torch
import torch.nn as nn


def train(model, loader, epochs):
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    lossf = nn.CrossEntropyLoss()
    model.train()
    for _ in range(epochs):
        for x, y in loader:
            opt.zero_grad()
            loss = lossf(model(x), y)
            loss.backward(retain_graph=True)  # SICK
            opt.step()
