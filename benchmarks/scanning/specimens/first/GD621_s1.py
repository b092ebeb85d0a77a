import torch
import torch.nn as nn


def train(model, loader, optimizer, epochs=5):
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        running_loss = 0.0
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), labels)
            loss.backward()
            optimizer.step()
            running_loss += loss  # SICK
        print(f"[{epoch}] {running_loss / len(loader):.4f}")
