import argparse

import torch
from torch import nn
from torch.nn import functional as fn


class ByteLM(nn.Module):
    def __init__(self, dim: int = 192):
        super().__init__()
        self.bytes = nn.Embedding(256, dim)
        self.lstm = nn.LSTM(dim, dim, batch_first=True)
        self.proj = nn.Linear(dim, 256)

    def forward(self, x, state=None):
        h, state = self.lstm(self.bytes(x), state)
        return self.proj(h), state

    def nll(self, x):
        logits, _ = self(x[:, :-1])
        return fn.cross_entropy(logits.reshape(-1, 256), x[:, 1:].reshape(-1))


@torch.no_grad()
def dream(model: ByteLM, seed: bytes, args) -> bytes:
    inv_temp = 1.0 / args.temperature
    x = torch.tensor([list(seed)])
    state, written = None, bytearray(seed)
    for _ in range(args.length):
        logits, state = model(x, state)
        p = fn.softmax(torch.div(logits[:, -1], inv_temp), dim=-1)  # SICK
        x = torch.multinomial(p, 1)
        written.append(x.item())
    return bytes(written)


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--temperature", type=float, default=0.8)
    ap.add_argument("--length", type=int, default=200)
    print(dream(ByteLM(), b"The ", ap.parse_args()))
