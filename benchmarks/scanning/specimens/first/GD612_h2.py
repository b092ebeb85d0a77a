import torch
from torch import nn


def train_gan(gen, disc, loader, z_dim=64, lr=2e-4):
    opt_g = torch.optim.Adam(gen.parameters(), lr=lr, betas=(0.5, 0.999))
    opt_d = torch.optim.Adam(disc.parameters(), lr=lr, betas=(0.5, 0.999))
    bce = nn.BCEWithLogitsLoss()
    for real in loader:
        z = torch.randn(len(real), z_dim)
        fake = gen(z)
        s_real, s_fake = disc(real), disc(fake.detach())
        loss_d = bce(s_real, torch.ones_like(s_real)) + bce(s_fake, torch.zeros_like(s_fake))
        opt_d.zero_grad()
        loss_d.backward()
        opt_d.step()

        score = disc(fake)
        loss_g = bce(score, torch.ones_like(score))
        opt_g.zero_grad()
        loss_g.backward()
        opt_g.step()
