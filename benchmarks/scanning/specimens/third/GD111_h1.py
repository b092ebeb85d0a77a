import torch
import torch.nn as nn


class ConvStem(nn.Sequential):
    def __init__(self, c_in, c_out):
        layers = [
            nn.Conv2d(c_in, c_out, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(),
        ]
        nn.Sequential.__init__(self, *layers)


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.criterion = nn.CrossEntropyLoss()
        self.opt = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)

    def step(self, x, y):
        self.opt.zero_grad()
        loss = self.criterion(self.model(x), y)
        loss.backward()
        self.opt.step()
        return loss.item()


class SmallNet(nn.Module):
    def __init__(self):
        nn.Module.__init__(self)
        self.stem = ConvStem(3, 32)
        self.fc = nn.Linear(32, 10)

    def forward(self, x):
        return self.fc(self.stem(x).mean(dim=(2, 3)))
