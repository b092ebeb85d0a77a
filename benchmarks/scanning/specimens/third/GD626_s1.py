import torch
import torch.nn as nn


class PINN(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, t):
        return self.net(t)


def solve_decay(k=1.0, steps=2000):
    model = PINN()
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    t0 = torch.zeros(1, 1)
    for step in range(steps):
        t = torch.rand(128, 1, requires_grad=True)
        u = model(t)
        du = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
        loss = (du + k * u).pow(2).mean() + (model(t0) - 1).pow(2).mean()
        opt.zero_grad()
        loss.backward(retain_graph=True)  # SICK
        opt.step()
        if step % 500 == 0:
            print(step, loss.item())
    return model
