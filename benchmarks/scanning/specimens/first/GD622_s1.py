import torch
import torch.nn as nn


def finetune(backbone, n_classes, loader, lr=1e-4):
    optimizer = torch.optim.AdamW(backbone.parameters(), lr=lr)
    backbone.fc = nn.Linear(backbone.fc.in_features, n_classes)  # SICK
    criterion = nn.CrossEntropyLoss()
    backbone.train()
    for images, labels in loader:
        optimizer.zero_grad()
        criterion(backbone(images), labels).backward()
        optimizer.step()
    return backbone
