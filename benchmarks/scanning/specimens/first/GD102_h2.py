from torch import nn
from torch.distributions import Categorical


class ActorCritic(nn.Module):
    def __init__(self, obs_dim: int, n_actions: int, hidden: int = 64):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh())
        self.policy = nn.Linear(hidden, n_actions)
        self.value = nn.Linear(hidden, 1)

    def forward(self, obs, actions, returns):
        h = self.trunk(obs)
        dist = Categorical(logits=self.policy(h))
        value = self.value(h).squeeze(-1)
        advantage = returns - value.detach()
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        policy_loss = -(dist.log_prob(actions) * advantage).mean()
        value_loss = nn.functional.mse_loss(value, returns)
        entropy = dist.entropy().mean()
        logs = {"value_mean": value.detach().mean().item(), "entropy": entropy.item()}
        return policy_loss + 0.5 * value_loss - 0.01 * entropy, logs
