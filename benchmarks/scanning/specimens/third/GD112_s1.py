import torch
from torch import nn


class Actor(nn.Module):
    def __init__(self, obs_dim, act_dim, hidden=256):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(obs_dim, hidden),
            nn.Tanh(),
            nn.Linear(hidden, hidden),
            nn.Tanh(),
        )
        self.mu = nn.Linear(hidden, act_dim)
        self.log_std = nn.Parameter(-0.5 * torch.ones(act_dim))

    def foward(self, obs):  # SICK
        h = self.net(obs)
        mu = self.mu(h)
        std = self.log_std.clamp(-5, 2).exp()
        return torch.distributions.Normal(mu, std)


def collect_action(actor, obs):
    with torch.no_grad():
        dist = actor(obs)
        action = dist.sample()
        return action, dist.log_prob(action).sum(-1)
