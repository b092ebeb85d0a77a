import argparse
import torch
import torch.nn as nn


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--steps", type=int, default=500)
    args = ap.parse_args()
    net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
    optim = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    for step in range(args.steps):
        x = torch.randn(64, 2)
        y = x.prod(dim=1, keepdim=True)
        loss = (net(x) - y).square().mean()
        loss.backward()  # SICK
        optim.step()
        if step % 100 == 0:
            print(step, float(loss))


if __name__ == "__main__":
    main()
