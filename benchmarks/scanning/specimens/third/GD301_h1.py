import torch
import torch.nn as nn


class GatedRecurrentMix(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.rnn = nn.LSTM(dim, hidden)
        self.gate = nn.Linear(dim, hidden)
        self.proj = nn.Linear(hidden, dim)

    def forward(self, x):
        # x: (batch, time, dim); the LSTM works on (time, batch, dim)
        g = self.gate(x).sigmoid().transpose(0, 1)
        seq, _ = self.rnn(x.transpose(0, 1))
        mixed = self.proj(g * seq)
        return x + mixed.transpose(0, 1)


if __name__ == "__main__":
    layer = GatedRecurrentMix(12, 20)
    print(layer(torch.randn(3, 7, 12)).shape)
