import torch
import torch.nn as nn
import torch.distributions as D


class Policy(nn.Module):
    def __init__(self, obs, acts):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(obs, 64), nn.Tanh(), nn.Linear(64, acts), nn.Softmax(dim=-1))

    def forward(self, obs):
        return self.net(obs)

    def act(self, obs):
        pi = D.Categorical(logits=self(obs))  # SICK
        a = pi.sample()
        return a, pi.log_prob(a), pi.entropy()
