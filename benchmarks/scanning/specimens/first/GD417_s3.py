import torch
import torch.nn as nn
from torch.distributions.categorical import Categorical


class ActorCritic(nn.Module):
    def __init__(self, state_dim, action_dim):
        super().__init__()
        self.actor = nn.Sequential(
            nn.Linear(state_dim, 64),
            nn.Tanh(),
            nn.Linear(64, action_dim),
            nn.Softmax(dim=-1),
        )
        self.critic = nn.Sequential(nn.Linear(state_dim, 64), nn.Tanh(), nn.Linear(64, 1))

    def act(self, state):
        dist = self._policy(state)
        action = dist.sample()
        return action.detach(), dist.log_prob(action).detach()

    def _policy(self, state):
        return Categorical(logits=self.actor(state))  # SICK

    def evaluate(self, state, action):
        dist = self._policy(state)
        return dist.log_prob(action), self.critic(state).squeeze(-1), dist.entropy()


def ppo_loss(net, batch, clip=0.2):
    logp, value, entropy = net.evaluate(batch["state"], batch["action"])
    ratio = torch.exp(logp - batch["logp"])
    surrogate = torch.min(ratio * batch["adv"], ratio.clamp(1 - clip, 1 + clip) * batch["adv"])
    return -surrogate.mean() + 0.5 * (value - batch["ret"]).pow(2).mean() - 0.01 * entropy.mean()
