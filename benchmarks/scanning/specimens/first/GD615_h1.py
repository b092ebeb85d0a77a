import torch
import torch.nn.functional as F


def wgan_critic(critic, gen, loader, c=0.01):
    """Weights, not gradients, are kept within [-c, c] after each update."""
    opt = torch.optim.RMSprop(critic.parameters(), lr=5e-5)
    for real in loader:
        with torch.no_grad():
            fake = gen(torch.randn(real.size(0), 32))
        loss = critic(fake).mean() - critic(real).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        with torch.no_grad():
            for w in critic.parameters():
                w.clamp_(-c, c)
