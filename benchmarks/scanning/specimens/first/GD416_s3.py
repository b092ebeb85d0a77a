import torch
import torch.nn as nn
from torch.distributions import Categorical


class CartPoleActor(nn.Module):
    def __init__(self, obs_dim=4, n_actions=2, hidden=64):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.Tanh(),
            nn.Linear(hidden, hidden), nn.Tanh(),
            nn.Linear(hidden, n_actions),
        )

    def forward(self, obs):
        return self.net(obs)

    def act(self, obs):
        scores = self(obs)
        dist = Categorical(scores)  # SICK
        action = dist.sample()
        return action, dist.log_prob(action), dist.entropy()


def reinforce_loss(log_probs, returns, entropies, beta=0.01):
    log_probs, entropies = torch.stack(log_probs), torch.stack(entropies)
    advantage = returns - returns.mean()
    return -(log_probs * advantage).mean() - beta * entropies.mean()
