import torch
import torch.nn as nn
import torch.nn.functional as F


class LeNetLog(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.fc = nn.Linear(6 * 12 * 12, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        scores = self.fc(torch.flatten(x, 1))
        return scores - scores.logsumexp(dim=1, keepdim=True)


def train_one(model, loader, optimizer):
    model.train()
    for data, target in loader:
        optimizer.zero_grad()
        output = model(data)
        F.nll_loss(output, target).backward()
        optimizer.step()
