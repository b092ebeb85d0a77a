import torch
from torch import nn
from torch.distributions import Categorical


class Actor(nn.Module):
    def __init__(self, d, k):
        super().__init__()
        self.net = nn.Linear(d, k)

    def forward(self, s):
        logits = self.net(s)
        p = torch.softmax(logits, dim=-1)
        logp = torch.log_softmax(logits, dim=-1)
        return p, -(p * logp).sum(-1)

    def sample(self, s):
        dist = Categorical(logits=self.net(s))
        a = dist.sample()
        return a, dist.log_prob(a)


def prior_logits(counts):
    freq = (counts + 1) / (counts + 1).sum()
    return torch.log(freq)
