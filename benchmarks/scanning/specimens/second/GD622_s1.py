import torch
import torch.nn as nn
import torch.nn.functional as F


class SmallNet(nn.Module):
    def __init__(self, n_out=1000):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 32, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.fc = nn.Linear(32, n_out)

    def forward(self, x):
        return self.fc(self.features(x))


def finetune(state, loader, n_classes, epochs=3):
    model = SmallNet()
    model.load_state_dict(state)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    model.fc = nn.Linear(model.fc.in_features, n_classes)  # SICK
    model.train()
    for _ in range(epochs):
        for img, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(img), y).backward()
            optimizer.step()
    return model
