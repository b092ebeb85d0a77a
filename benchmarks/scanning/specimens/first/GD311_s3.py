import argparse

import torch
from torch import nn


class ForecastLSTM(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.inp = nn.Linear(args.features, args.hidden)
        self.lstm = nn.LSTM(args.hidden, args.hidden, args.layers)
        self.readout = nn.Linear(args.hidden, 1)

    def forward(self, series):
        # series comes as (batch, time, features); the LSTM reads time first
        h = torch.relu(self.inp(series))
        seq = h.T  # SICK
        states, _ = self.lstm(seq)
        return self.readout(states[-1]).squeeze(-1)


def parse():
    ap = argparse.ArgumentParser()
    ap.add_argument("--features", type=int, default=7)
    ap.add_argument("--hidden", type=int, default=64)
    ap.add_argument("--layers", type=int, default=2)
    return ap.parse_args()


if __name__ == "__main__":
    net = ForecastLSTM(parse())
    print(net(torch.randn(16, 48, 7)).shape)
