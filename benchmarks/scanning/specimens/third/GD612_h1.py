import torch
import torch.nn as nn
import torch.nn.functional as F


def wgan_step(critic, generator, opt_c, opt_g, real, z_dim=64):
    fake = generator(torch.randn(real.size(0), z_dim, device=real.device))

    opt_c.zero_grad()
    loss_c = critic(fake.detach()).mean() - critic(real).mean()
    loss_c.backward()
    opt_c.step()

    opt_g.zero_grad()
    loss_g = -critic(fake).mean()
    loss_g.backward()
    opt_g.step()
    return loss_c.item(), loss_g.item()


def fit(critic, generator, loader, lr=5e-5, clip=0.01):
    opt_c = torch.optim.RMSprop(critic.parameters(), lr=lr)
    opt_g = torch.optim.RMSprop(generator.parameters(), lr=lr)
    for real in loader:
        stats = wgan_step(critic, generator, opt_c, opt_g, real)
        with torch.no_grad():
            for p in critic.parameters():
                p.clamp_(-clip, clip)
        print(stats)
