import torch
import torch.nn.functional as F


def gan_epoch(gen, disc, opt_g, opt_d, loader, z_dim=128, device="cuda"):
    """Two optimizers share one scaler, which is updated once a turn."""
    scaler = torch.amp.GradScaler(device)
    for real in loader:
        real = real.to(device)
        z = torch.randn(real.size(0), z_dim, device=device)

        opt_d.zero_grad()
        with torch.autocast(device, dtype=torch.float16):
            fake = gen(z)
            d_loss = F.softplus(disc(fake.detach())).mean() + F.softplus(-disc(real)).mean()
        scaler.scale(d_loss).backward()
        scaler.step(opt_d)

        opt_g.zero_grad()
        with torch.autocast(device, dtype=torch.float16):
            g_loss = F.softplus(-disc(fake)).mean()
        scaler.scale(g_loss).backward()
        scaler.step(opt_g)

        scaler.update()


def train_full_precision(model, opt, loader):
    for x, y in loader:
        opt.zero_grad()
        F.mse_loss(model(x), y).backward()
        opt.step()
