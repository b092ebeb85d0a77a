from typing import Tuple
import torch
import torch.nn as nn
from torch.distributions import Normal

LOG_STD_MIN, LOG_STD_MAX = -20, 2


class SquashedGaussianActor(nn.Module):
    def __init__(self, state_dim: int, action_dim: int, max_action: float, hidden_sizes: Tuple[int, ...] = (256, 256)):
        super().__init__()
        sizes = [state_dim, *hidden_sizes]
        self.net = nn.Sequential(*[m for i, o in zip(sizes[:-1], sizes[1:]) for m in (nn.Linear(i, o), nn.ReLU())])
        self.mu_layer = nn.Linear(sizes[-1], action_dim)
        self.log_std_layer = nn.Linear(sizes[-1], action_dim)
        self.max_action = max_action

    def forward(self, obs: torch.Tensor, deterministic: bool = False, with_logprob: bool = True):
        h = self.net(obs)
        mu = self.mu_layer(h)
        std = self.log_std_layer(h).clamp(LOG_STD_MIN, LOG_STD_MAX).exp()
        dist = Normal(mu, std)
        u = mu if deterministic else dist.rsample()
        logp = None
        if with_logprob:
            logp = dist.log_prob(u).sum(-1)
            logp = logp - (2 * (0.6931471805599453 - u - nn.functional.softplus(-2 * u))).sum(-1)
        return self.max_action * torch.tanh(u), logp
