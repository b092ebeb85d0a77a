import torch
from torch import nn


class AccumTrainer:
    def __init__(self, model: nn.Module, critic: nn.Module, lr: float = 3e-4):
        self.model, self.critic = model, critic
        self.opt = torch.optim.AdamW(model.parameters(), lr=lr)

    def fit(self, loader, epochs):
        for _ in range(epochs):
            for x in loader:
                loss = -self.critic(self.model(x)).mean()
                loss.backward()
                self.critic.zero_grad()
                self.opt.step()
                self.opt.zero_grad()
