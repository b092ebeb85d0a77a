import torch
import torch.nn as nn


def train_one_epoch(model, loader, optimizer, device):
    model.train()
    criterion = nn.CrossEntropyLoss()
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        optimizer.step()  # SICK
        loss.backward()


def main():
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).to(device)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = [(torch.randn(32, 1, 28, 28), torch.randint(0, 10, (32,))) for _ in range(10)]
    for _ in range(3):
        train_one_epoch(model, loader, opt, device)


if __name__ == "__main__":
    main()
