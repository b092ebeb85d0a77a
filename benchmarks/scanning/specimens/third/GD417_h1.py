import torch
import torch.nn as nn
from torch import distributions as D


class ActorCritic(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh())
        self.pi = nn.Linear(hidden, n_actions)
        self.v = nn.Linear(hidden, 1)

    def dist(self, obs, legal=None):
        h = self.body(obs)
        probs = torch.softmax(self.pi(h), dim=-1)
        if legal is not None:
            probs = probs * legal
            probs = probs / probs.sum(dim=-1, keepdim=True)
        return D.Categorical(probs), self.v(h).squeeze(-1)

    def act(self, obs, legal=None):
        with torch.no_grad():
            d, v = self.dist(obs, legal)
            a = d.sample()
            return a, d.log_prob(a), v

    def prior_kl(self, obs):
        logp = torch.log_softmax(self.pi(self.body(obs)), dim=-1)
        uniform = D.Categorical(logits=torch.zeros_like(logp))
        return D.kl_divergence(D.Categorical(logits=logp), uniform)
