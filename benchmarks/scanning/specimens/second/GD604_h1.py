import torch
from torch import nn, optim


class DigitNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(28 * 28, 100)
        self.fc2 = nn.Linear(100, 10)

    def forward(self, x):
        x = self.fc2(torch.relu(self.fc1(x.flatten(1))))
        return x, torch.softmax(x.detach(), dim=1)


def train(net, loader):
    criterion = nn.CrossEntropyLoss()
    opt = optim.SGD(net.parameters(), lr=0.1)
    for img, digit in loader:
        opt.zero_grad()
        scores, probs = net(img)
        criterion(scores, digit).backward()
        opt.step()
        print((probs.argmax(1) == digit).float().mean().item())
