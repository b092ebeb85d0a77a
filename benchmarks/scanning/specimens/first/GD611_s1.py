import torch
import torch.nn as nn


def train(model, loader, epochs=5, lr=0.01):
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    model.train()
    for epoch in range(epochs):
        running = 0.0
        for inputs, labels in loader:
            outputs = model(inputs)
            loss = criterion(outputs, labels)
            loss.backward()  # SICK
            optimizer.step()
            running += loss.item()
        print(f"epoch {epoch}: {running / len(loader):.4f}")
