import torch
from torch import nn, Tensor


class Policy(nn.Module):
    def __init__(self, obs: int, act: int):
        super().__init__()
        self.mu = nn.Sequential(nn.Linear(obs, 64), nn.Tanh(), nn.Linear(64, act))
        self.log_std = nn.Parameter(torch.zeros(act))

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.mu(state)
        std = self.log_std.exp()
        noise = torch.randn_like(mean)
        action = mean + std * noise
        torch.clamp(action, -1.0, 1.0)  # SICK
        logp = -0.5 * noise.square() - self.log_std
        return action, logp.sum(-1)
