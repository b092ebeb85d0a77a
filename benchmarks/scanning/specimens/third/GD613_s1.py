import argparse

import torch
import torch.nn as nn


def build(n_in, n_hidden, n_out):
    return nn.Sequential(nn.Linear(n_in, n_hidden), nn.Tanh(), nn.Linear(n_hidden, n_out))


def main(argv=None):
    ap = argparse.ArgumentParser()
    ap.add_argument("--lr", type=float, default=0.01)
    ap.add_argument("--epochs", type=int, default=50)
    ap.add_argument("--hidden", type=int, default=32)
    ns = ap.parse_args(argv)

    x = torch.linspace(-3, 3, 200).unsqueeze(1)
    y = torch.sin(x)
    model = build(1, ns.hidden, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=ns.lr)
    loss_fn = nn.MSELoss()

    for epoch in range(ns.epochs):
        pred = model(x)
        loss = loss_fn(pred, y)
        loss.backward()
        optimizer.zero_grad()  # SICK
        optimizer.step()
        if epoch % 10 == 0:
            print(epoch, loss.item())


if __name__ == "__main__":
    main()
