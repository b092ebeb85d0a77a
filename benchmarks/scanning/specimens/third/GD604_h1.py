import torch
import torch.nn as nn
import torch.nn.functional as F


class IrisNet(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.l1 = nn.Linear(4, hidden)
        self.l2 = nn.Linear(hidden, 3)
        self.softmax = nn.Softmax(dim=-1)

    def forward(self, x):
        scores = self.l2(F.relu(self.l1(x)))
        if self.training:
            return scores
        return self.softmax(scores)


def fit(model, x, y, epochs=200):
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model.train()
    for _ in range(epochs):
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
    return model


@torch.no_grad()
def predict_proba(model, x):
    model.eval()
    return model(x)


@torch.no_grad()
def log_loss(model, x, y):
    return F.nll_loss(predict_proba(model, x).clamp_min(1e-12).log(), y)
