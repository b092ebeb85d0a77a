from collections import defaultdict

import torch
from torch import nn
from torch.nn import functional as fn


class VAETrainer:
    def __init__(self, vae: nn.Module, lr: float = 1e-3):
        self.vae = vae
        self.opt = torch.optim.Adam(vae.parameters(), lr=lr)
        self.history = defaultdict(list)

    def losses(self, x):
        rec, mu, logvar = self.vae(x)
        kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(-1).mean()
        return fn.mse_loss(rec, x, reduction="sum") / len(x), kl

    def fit(self, batches):
        for x in batches:
            rec, kl = self.losses(x)
            total = rec + kl
            self.opt.zero_grad()
            total.backward()
            self.opt.step()
            self.history["total"].append(total)  # SICK
        return torch.stack(self.history["total"]).mean().item()
