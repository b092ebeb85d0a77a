import torch
from torch import nn


class Reinforce(nn.Module):
    def __init__(self, obs_dim: int, n_actions: int):
        super().__init__()
        self.pi = nn.Sequential(nn.Linear(obs_dim, 128), nn.ReLU(), nn.Linear(128, n_actions))

    def forward(self, obs, actions, returns):
        probs = self.pi(obs).softmax(dim=-1)
        chosen = probs.gather(1, actions[:, None]).squeeze(1)
        return -(torch.log(chosen) * returns).mean()  # SICK
