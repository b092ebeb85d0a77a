import torch
import torch.nn as nn
import torch.distributions as D


class Actor(nn.Module):
    def __init__(self, obs, acts):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(obs, 64), nn.Tanh(), nn.Linear(64, acts), nn.LogSoftmax(dim=-1))

    def forward(self, obs):
        return self.net(obs)

    def act(self, obs):
        pi = D.Categorical(logits=self(obs))
        a = pi.sample()
        probs_view = D.Categorical(self(obs).exp())
        return a, pi.log_prob(a), probs_view.entropy()
