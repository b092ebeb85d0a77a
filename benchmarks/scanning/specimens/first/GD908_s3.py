import argparse

import torch
from torch import nn


class LlamaishAttention(nn.Module):
    def __init__(self, dim, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        self.wv = nn.Linear(dim, dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)

    def heads(self, x):
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x):
        xq, xk, xv = self.heads(self.wq(x)), self.heads(self.wk(x)), self.heads(self.wv(x))
        n = x.size(1)
        bias = torch.zeros(n, n, device=x.device, dtype=x.dtype)
        bias = bias.masked_fill(torch.ones_like(bias).triu(1).bool(), float("-inf"))
        out = nn.functional.scaled_dot_product_attention(xq, xk, xv, attn_mask=bias, scale=1.0)  # SICK
        return self.wo(out.transpose(1, 2).flatten(2))


def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--heads", type=int, default=8)
    args = parser.parse_args(argv)
    layer = LlamaishAttention(args.dim, args.heads)
    print(layer(torch.randn(2, 16, args.dim)).shape)


if __name__ == "__main__":
    main()
