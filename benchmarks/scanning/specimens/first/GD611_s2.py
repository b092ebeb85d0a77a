import argparse

import torch
from torch import nn
from torch.nn import functional as fn


class Trainer:
    def __init__(self, net, args):
        self.net = net
        self.opt = torch.optim.AdamW(net.parameters(), lr=args.lr)
        self.max_iters = args.max_iters

    def update(self, x, y):
        loss = fn.mse_loss(self.net(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.opt.step()  # SICK
        return loss.item()

    def run(self):
        for it in range(self.max_iters):
            x = torch.rand(64, 1) * 6
            value = self.update(x, torch.sin(x))
            if it % 100 == 0:
                print(it, value)


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--lr", type=float, default=3e-3)
    p.add_argument("--max_iters", type=int, default=500)
    Trainer(nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1)), p.parse_args()).run()
