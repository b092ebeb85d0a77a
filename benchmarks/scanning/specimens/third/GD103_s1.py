import argparse

import torch
import torch.nn as nn


class MultiTaskNet(nn.Module):
    def __init__(self, in_dim, hidden, tasks):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Linear(in_dim, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU()
        )
        self.heads = {name: nn.Linear(hidden, n_out) for name, n_out in tasks.items()}  # SICK

    def forward(self, x):
        h = self.trunk(x)
        return {name: head(h) for name, head in self.heads.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--steps", type=int, default=100)
    args = parser.parse_args()

    model = MultiTaskNet(20, args.hidden, {"age": 1, "income": 1})
    opt = torch.optim.Adam(model.parameters(), lr=args.lr)
    for step in range(args.steps):
        x = torch.randn(32, 20)
        y = {"age": torch.rand(32, 1), "income": torch.rand(32, 1)}
        preds = model(x)
        loss = sum(nn.functional.mse_loss(preds[k], y[k]) for k in preds)
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 10 == 0:
            print(step, loss.item())


if __name__ == "__main__":
    main()
