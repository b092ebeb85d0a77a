import torch
import torch.nn as nn
import torch.nn.functional as F


class DeepEnsemble(nn.Module):
    def __init__(self, make_member, n=5):
        super().__init__()
        self.members = nn.ModuleList([make_member() for _ in range(n)])

    def forward(self, x):
        logits = torch.stack([m(x) for m in self.members])
        probs = F.softmax(logits, dim=-1).mean(dim=0)
        return torch.log(probs)

    def member_loss(self, x, y):
        return sum(F.cross_entropy(m(x), y) for m in self.members)


def mixture_nll(ensemble, x, y):
    return F.nll_loss(ensemble(x), y)


if __name__ == "__main__":
    ens = DeepEnsemble(lambda: nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3)))
    print(mixture_nll(ens, torch.randn(8, 4), torch.randint(0, 3, (8,))))
