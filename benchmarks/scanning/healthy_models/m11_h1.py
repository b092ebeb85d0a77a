import torch
import torch.nn as nn
import torch.nn.functional as F


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=5, stride=2), nn.ReLU(inplace=True), nn.BatchNorm2d(16),
            nn.Conv2d(16, 32, kernel_size=3), nn.ReLU(inplace=True), nn.BatchNorm2d(32),
            nn.AdaptiveAvgPool2d(4),
        )
        self.fc = nn.Sequential(nn.Linear(32 * 4 * 4, 128), nn.ReLU(inplace=True), nn.Linear(128, 2, bias=False))

    def forward_once(self, x):
        out = self.cnn(x)
        return self.fc(out.view(out.size(0), -1))

    def forward(self, input1, input2):
        return self.forward_once(input1), self.forward_once(input2)


class ContrastiveLoss(nn.Module):
    def __init__(self, margin=2.0):
        super().__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        dist = F.pairwise_distance(output1, output2)
        return torch.mean((1 - label) * dist.pow(2) + label * torch.clamp(self.margin - dist, min=0.0).pow(2))


if __name__ == "__main__":
    net, criterion = SiameseNetwork(), ContrastiveLoss()
    x0, x1, y = torch.rand(8, 1, 100, 100), torch.rand(8, 1, 100, 100), torch.randint(0, 2, (8,)).float()
    loss = criterion(*net(x0, x1), y)
    loss.backward()
    print(loss.item())
