import torch
import torch.nn as nn


class A2CAgent(nn.Module):
    def __init__(self, n_obs, n_act, hidden=128, entropy_coef=0.01):
        super().__init__()
        self.shared = nn.Sequential(nn.Linear(n_obs, hidden), nn.ReLU())
        self.actor = nn.Linear(hidden, n_act)
        self.critic = nn.Linear(hidden, 1)
        self.entropy_coef = entropy_coef

    def evaluate(self, obs, actions):
        h = self.shared(obs)
        probs = torch.softmax(self.actor(h), dim=-1)
        log_probs = torch.log(probs)  # SICK
        chosen = log_probs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
        entropy = -(probs * log_probs).sum(-1)
        return chosen, entropy, self.critic(h).squeeze(-1)

    def loss(self, obs, actions, returns):
        logp, entropy, value = self.evaluate(obs, actions)
        advantage = (returns - value).detach()
        policy_loss = -(logp * advantage).mean()
        value_loss = (returns - value).pow(2).mean()
        return policy_loss + 0.5 * value_loss - self.entropy_coef * entropy.mean()
