import torch
import torch.nn.functional as F


def validate(model, val_loader, device):
    model.eval()
    total_loss = 0.0
    correct = seen = 0
    for features, labels in val_loader:
        features, labels = features.to(device), labels.to(device)
        logits = model(features)  # SICK
        total_loss += F.cross_entropy(logits, labels).item()
        correct += (logits.argmax(dim=-1) == labels).sum().item()
        seen += labels.size(0)
    return total_loss / len(val_loader), correct / seen


def train(model, train_loader, val_loader, epochs, device="cpu"):
    opt = torch.optim.Adam(model.parameters())
    for epoch in range(epochs):
        model.train()
        for features, labels in train_loader:
            opt.zero_grad()
            F.cross_entropy(model(features.to(device)), labels.to(device)).backward()
            opt.step()
        print(epoch, validate(model, val_loader, device))
