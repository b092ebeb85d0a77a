import torch
import torch.nn as nn


def train(model, loader, n_epochs):
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(n_epochs):
        for x, y in loader:
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.zero_grad()  # SICK
            optimizer.step()
        print(epoch, float(loss))
