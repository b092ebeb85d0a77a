from torch import nn


class PreNormResidual(nn.Module):
    def __init__(self, width, fn, drop=0.1):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fn = fn
        self.drop = nn.Dropout(drop)

    def forward(self, x):
        return self.drop(self.fn(self.norm(x))).add(x)


class Mixing(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.inner = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x):
        return self.inner(x, x, x, need_weights=False)[0]


class EncoderBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.attn = PreNormResidual(width, Mixing(width, heads))
        self.mlp = PreNormResidual(width, mlp)

    def forward(self, x):
        x = self.attn(x)
        x = self.mlp(x)
        return x
