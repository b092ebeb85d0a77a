import torch
import torch.nn as nn
import torch.nn.functional as F


class Continual(nn.Module):
    """A growing classifier: one more head for each task."""

    def __init__(self, n_in, dim=64):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_in, dim), nn.ReLU())
        self.heads = nn.ModuleList()
        self.dim = dim

    def forward(self, x, task):
        return self.heads[task](self.body(x))


def learn(tasks, n_in, lr=1e-2):
    model = Continual(n_in)
    opt = torch.optim.SGD(model.parameters(), lr=lr)
    for t, (loader, n_classes) in enumerate(tasks):
        head = nn.Linear(model.dim, n_classes)
        model.heads.append(head)
        opt.add_param_group({"params": head.parameters()})
        for x, y in loader:
            opt.zero_grad()
            F.cross_entropy(model(x, t), y).backward()
            opt.step()
    return model


if __name__ == "__main__":
    batch = [(torch.randn(8, 6), torch.randint(0, 3, (8,)))]
    learn([(batch, 3), (batch, 4)], 6)
