from torch import nn
import torch.nn.functional as F


class DigitNet(nn.Module):
    def __init__(self, n_classes=10):
        self.conv1 = nn.Conv2d(1, 16, 5)  # SICK
        self.conv2 = nn.Conv2d(16, 32, 5)
        self.fc = nn.Linear(32 * 4 * 4, n_classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(x.flatten(1))
