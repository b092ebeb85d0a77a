import torch
from torch import nn


class ReinforceLog(nn.Module):
    def __init__(self, obs_dim: int, n_actions: int):
        super().__init__()
        self.pi = nn.Sequential(nn.Linear(obs_dim, 128), nn.ReLU(), nn.Linear(128, n_actions))

    def forward(self, obs, actions, returns):
        z = self.pi(obs)
        logp = nn.functional.log_softmax(z, dim=-1)
        entropy = -(z.softmax(dim=-1) * logp).sum(-1)
        chosen = logp.gather(1, actions[:, None]).squeeze(1)
        return -(chosen * returns + 0.01 * entropy).mean()
