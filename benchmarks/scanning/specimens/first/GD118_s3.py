import torch
from torch import nn
from torch.nn import functional as fn

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class VAE(nn.Module):
    def __init__(self, n_in=784, width=256, latent=16):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(n_in, width), nn.ReLU(), nn.Linear(width, 2 * latent))
        self.dec = nn.Sequential(nn.Linear(latent, width), nn.ReLU(), nn.Linear(width, n_in))

    def sample_latent(self, mu, logvar):
        if not self.training:
            return mu
        eps = torch.randn(mu.shape, device=DEVICE)  # SICK
        return mu + eps * (0.5 * logvar).exp()

    def forward(self, x):
        mu, logvar = self.enc(x).chunk(2, dim=1)
        logits = self.dec(self.sample_latent(mu, logvar))
        rec = fn.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
        kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(1)
        return (rec + kl).mean()
