"""GD818, GD906, GD907, GD908 and GD911 in spellings of their own."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of

HEAD = """\
import math
from collections import defaultdict

import torch
import torch.nn.functional as F
from torch import nn


"""
CASES = {
    "a layer along the queries": (
        "GD818",
        """
        class Attn(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.h = h
                self.qkv = nn.Linear(d, 3 * d)
                self.softmax = nn.Softmax(dim=-2)  # here
            def forward(self, x):
                b, n, d = x.shape
                parts = self.qkv(x).chunk(3, dim=-1)
                q, k, v = [t.view(b, n, self.h, d // self.h).transpose(1, 2) for t in parts]
                att = self.softmax(q @ k.transpose(-2, -1) / 8)
                return (att @ v).transpose(1, 2).reshape(b, n, d)
        """,
    ),
    "of three dimensions": (
        "GD818",
        """
        class Attn(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
            def forward(self, x):
                B, T, C = x.shape
                s = torch.bmm(self.q(x), self.k(x).transpose(1, 2)) / C ** 0.5
                w = F.softmax(s, dim=1)  # here
                return torch.bmm(w, self.v(x))
        """,
    ),
    "one by one, and convolutions": (
        "GD906",
        """
        class M(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.fc1 = nn.Linear(d, d)
                self.fc2 = nn.Linear(d, 1)
                nn.init.constant_(self.fc1.weight, 0.5)  # here
                nn.init.zeros_(self.fc1.bias)
                self.fc2.weight.data.fill_(0.1)  # here
                self.fc2.bias.data.zero_()
            def forward(self, x):
                return self.fc2(torch.relu(self.fc1(x)))

        def init_weights(m):
            if isinstance(m, (nn.Linear, nn.Conv2d)):
                m.weight.data.fill_(0.01)  # here
                m.bias.data.zero_()

        class N(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.net = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, d))
            def forward(self, x):
                return self.net(x)

        model = N(3)
        model.apply(init_weights)
        """,
    ),
    "a list": (
        "GD906",
        """
        class AE(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.layers = nn.ModuleList([nn.Linear(d, d) for _ in range(3)])
                for layer in self.layers:
                    nn.init.ones_(layer.weight)  # here
                    nn.init.zeros_(layer.bias)
            def forward(self, x):
                for l in self.layers:
                    x = torch.relu(l(x))
                return x
        """,
    ),
    "parameters": (
        "GD906",
        """
        class Net(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.w1 = nn.Parameter(torch.zeros(d, 4 * d))  # here
                self.w2 = nn.Parameter(torch.zeros(4 * d, d))  # here
            def forward(self, x):
                return torch.tanh(x @ self.w1) @ self.w2
        """,
    ),
    "all parameters": (
        "GD906",
        """
        class Net(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.net = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, d))
                for p in self.parameters():
                    nn.init.constant_(p, 0.1)  # here
            def forward(self, x):
                return self.net(x)
        """,
    ),
    "gates and gains": (
        "GD906",
        """
        class AdaLN(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.fc1 = nn.Linear(d, d)
                self.fc2 = nn.Linear(d, 6 * d)
                nn.init.zeros_(self.fc2.weight)
                nn.init.zeros_(self.fc2.bias)
            def forward(self, x):
                return self.fc2(torch.relu(self.fc1(x)))
        class Scale(nn.Module):
            def __init__(self, h, d):
                super().__init__()
                self.gain = nn.Parameter(torch.ones(h, d))
                self.shift = nn.Parameter(torch.zeros(h, d))
            def forward(self, x):
                return torch.relu(x * self.gain + self.shift)
        """,
    ),
    "loops over sublayers": (
        "GD907",
        """
        class FF(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.a, self.b = nn.Linear(d, d), nn.Linear(d, d)
            def forward(self, x):
                return self.b(self.a(x).relu())
        class Attn(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.q = nn.Linear(d, 3 * d)
            def forward(self, x):
                q, k, v = self.q(x).chunk(3, -1)
                return (q @ k.mT / 8).softmax(-1) @ v
        class Zip(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.attns = nn.ModuleList([Attn(d) for _ in range(3)])
                self.ffs = nn.ModuleList([FF(d) for _ in range(3)])
                self.norms = nn.ModuleList([nn.LayerNorm(d) for _ in range(3)])
            def forward(self, x):
                for norm, attn, ff in zip(self.norms, self.attns, self.ffs):
                    x = attn(norm(x))  # here
                    x = x + ff(x)
                return x
        class Numbered(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.attns = nn.ModuleList([Attn(d) for _ in range(3)])
                self.ffs = nn.ModuleList([FF(d) for _ in range(3)])
                self.norms = nn.ModuleList([nn.LayerNorm(d) for _ in range(3)])
            def forward(self, x):
                for i in range(3):
                    x = x + self.attns[i](x)
                    x = self.ffs[i](self.norms[i](x))  # here
                return x
        class Added(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.attns = nn.ModuleList([Attn(d) for _ in range(3)])
                self.ffs = nn.ModuleList([FF(d) for _ in range(3)])
            def forward(self, x):
                for attn, ff in zip(self.attns, self.ffs):
                    x = attn(x) + x
                    x = ff(x) + x
                return x
        class Named(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.attns = nn.ModuleList([Attn(d) for _ in range(3)])
                self.ffs = nn.ModuleList([FF(d) for _ in range(3)])
            def forward(self, x):
                for attn, ff in zip(self.attns, self.ffs):
                    h = attn(x)
                    x = x + h
                    h = ff(x)
                    x = x + h
                return x
        class Bl(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.attn, self.mlp = Attn(d), FF(d)
        class Net(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.blocks = nn.ModuleList([Bl(d) for _ in range(3)])
            def forward(self, x):
                for b in self.blocks:
                    x = b.attn(x) + x
                    x = b.mlp(x)  # here
                return x
        """,
    ),
    "named results": (
        "GD907",
        """
        class Attn(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.qkv, self.o = nn.Linear(d, 3 * d), nn.Linear(d, d)
                self.h = h
            def forward(self, x, mask=None):
                b, n, d = x.shape
                q, k, v = self.qkv(x).view(b, n, 3, self.h, -1).permute(2, 0, 3, 1, 4)
                return self.o(((q @ k.transpose(-2, -1)) / 8).softmax(-1) @ v)
        class EncoderLayer(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.self_attn = Attn(d, h)
                self.feed_forward = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, d))
                self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
                self.dropout = nn.Dropout(0.1)
            def forward(self, x, mask=None):
                attn_output = self.self_attn(x, mask)
                x = self.norm1(x + self.dropout(attn_output))
                ff_output = self.feed_forward(x)  # here
                x = self.norm2(self.dropout(ff_output))
                return x
        """,
    ),
    "an attention of torch": (
        "GD907",
        """
        class Block(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.attn = nn.MultiheadAttention(d, h, batch_first=True)
                self.mlp = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, d))
                self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
            def forward(self, x, attn_mask=None):
                h = self.ln1(x)
                attn_out, _ = self.attn(h, h, h, attn_mask=attn_mask)  # here
                x = attn_out
                x = x + self.mlp(self.ln2(x))
                return x
        """,
    ),
    "a stack that ends in a softmax of one": (
        "GD818",
        """
        class Pool(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.weigh = nn.Sequential(nn.Linear(d, 1), nn.Softmax(dim=-1))  # here
                self.right = nn.Sequential(nn.Linear(d, 1), nn.Softmax(dim=1))
            def forward(self, x):
                return (self.weigh(x) * self.right(x) * x).sum(1)
        """,
    ),
    "heads of an equation": (
        "GD908",
        """
        class Attn(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.h, self.w = h, d // h
                self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
            def forward(self, x):
                B, T, _ = x.shape
                q = self.q(x).reshape(B, T, self.h, self.w)
                k = self.k(x).reshape(B, T, self.h, self.w)
                v = self.v(x).reshape(B, T, self.h, self.w)
                weights = torch.einsum("bqhd,bkhd->bhqk", q, k).softmax(-1)  # here
                return torch.einsum("bhqk,bkhd->bqhd", weights, v).reshape(B, T, -1)
        """,
    ),
    "scaled by the caller and by the helper": (
        "GD911",
        """
        class Attn(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.h, self.w, self.scale = h, d // h, (d // h) ** -0.5
                self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
            def attend(self, q, k, v):
                scores = q @ k.transpose(-2, -1) / math.sqrt(self.w)  # here
                return scores.softmax(-1) @ v
            def forward(self, x):
                B, T, C = x.shape
                q, k, v = (
                    f(x).view(B, T, self.h, self.w).transpose(1, 2)
                    for f in (self.q, self.k, self.v)
                )
                return self.attend(q * self.scale, k, v).transpose(1, 2).reshape(B, T, C)
        """,
    ),
    "scaled by the helper alone": (
        "GD911",
        """
        class Attn(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.h, self.w, self.scale = h, d // h, (d // h) ** -0.5
                self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
            def attend(self, q, k, v):
                return (q @ k.transpose(-2, -1) / math.sqrt(self.w)).softmax(-1) @ v
            def forward(self, x):
                B, T, C = x.shape
                q, k, v = (
                    f(x).view(B, T, self.h, self.w).transpose(1, 2)
                    for f in (self.q, self.k, self.v)
                )
                return self.attend(q, k, v * 2).transpose(1, 2).reshape(B, T, C)
        """,
    ),
    "all parameters by name": (
        "GD906",
        """
        class Net(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.net = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, 9))
                self.reset_parameters()
            def reset_parameters(self):
                for name, p in self.named_parameters():
                    if "bias" in name:
                        nn.init.zeros_(p)
                    else:
                        nn.init.constant_(p, 0.01)  # here
            def forward(self, x):
                return self.net(x)
        """,
    ),
    "biases by name alone": (
        "GD906",
        """
        class Net(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.net = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, 9))
                self.reset_parameters()
            def reset_parameters(self):
                for name, p in self.named_parameters():
                    if "bias" in name:
                        nn.init.zeros_(p)
                    else:
                        p.data.copy_(torch.linspace(-1, 1, p.numel()).view_as(p))
            def forward(self, x):
                return self.net(x)
        """,
    ),
    "a cross-attention and a helper": (
        "GD907",
        """
        class Layer(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.self_attn = nn.MultiheadAttention(d, h, batch_first=True)
                self.cross_attn = nn.MultiheadAttention(d, h, batch_first=True)
                self.one, self.two = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
                self.norms = nn.ModuleList([nn.LayerNorm(d) for _ in range(3)])
            def _ca_block(self, x, memory, memory_pad):
                return self.cross_attn(x, memory, memory, key_padding_mask=memory_pad)[0]
            def _ff_block(self, x):
                return self.two(torch.relu(self.one(x)))
            def forward(self, x, memory, memory_pad=None):
                x = self.norms[0](x + self.self_attn(x, x, x)[0])
                x = self.norms[1](self._ca_block(x, memory, memory_pad))  # here
                return self.norms[2](x + self._ff_block(x))
        """,
    ),
    "a helper that adds its input": (
        "GD907",
        """
        class Layer(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.self_attn = nn.MultiheadAttention(d, h, batch_first=True)
                self.one, self.two = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
                self.norm = nn.LayerNorm(d)
            def _ff_block(self, x):
                return x + self.two(torch.relu(self.one(x)))
            def forward(self, x):
                x = self.norm(x + self.self_attn(x, x, x)[0])
                return self.norm(self._ff_block(x))
        """,
    ),
    "queries that read into a stream of their own": (
        "GD907",
        """
        class Decoder(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.cross_attn = nn.MultiheadAttention(d, h, batch_first=True)
                self.ff = nn.Sequential(nn.Linear(d, d), nn.GELU(), nn.Linear(d, d))
            def forward(self, queries, latents):
                x = self.cross_attn(queries, latents, latents)[0]
                return x + self.ff(x)
        """,
    ),
    "one head": (
        "GD908",
        """
        class Head(nn.Module):
            def __init__(self, n_embd, head_size, block_size):
                super().__init__()
                self.key = nn.Linear(n_embd, head_size, bias=False)
                self.query = nn.Linear(n_embd, head_size, bias=False)
                self.value = nn.Linear(n_embd, head_size, bias=False)
                self.register_buffer('tril', torch.tril(torch.ones(block_size, block_size)))
                self.dropout = nn.Dropout(0.1)
            def forward(self, x):
                B, T, C = x.shape
                k = self.key(x)
                q = self.query(x)
                wei = q @ k.transpose(-2, -1)  # here
                wei = wei.masked_fill(self.tril[:T, :T] == 0, float('-inf'))
                wei = F.softmax(wei, dim=-1)
                wei = self.dropout(wei)
                return wei @ self.value(x)
        """,
    ),
    "norms in a generator": (
        "GD908",
        """
        class QKNorm(nn.Module):
            def __init__(self, d, num_heads):
                super().__init__()
                self.num_heads = num_heads
                self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
                self.lnq, self.lnk = nn.LayerNorm(d // num_heads), nn.LayerNorm(d // num_heads)
            def forward(self, x):
                b, n, d = x.shape
                parts = [f(x).view(b, n, self.num_heads, -1) for f in (self.q, self.k, self.v)]
                q, k, v = (part.transpose(1, 2) for part in parts)
                q, k = self.lnq(q), self.lnk(k)
                return (q @ k.transpose(-2, -1)).softmax(-1) @ v
        """,
    ),
    "norms of another name": (
        "GD908",
        """
        class QKNorm(nn.Module):
            def __init__(self, d, num_heads):
                super().__init__()
                self.num_heads = num_heads
                self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
                self.lnq, self.lnk = nn.LayerNorm(d // num_heads), nn.LayerNorm(d // num_heads)
            def forward(self, x):
                b, n, d = x.shape
                q = self.q(x).view(b, n, self.num_heads, -1).transpose(1, 2)
                k = self.k(x).view(b, n, self.num_heads, -1).transpose(1, 2)
                v = self.v(x).view(b, n, self.num_heads, -1).transpose(1, 2)
                q, k = self.lnq(q), self.lnk(k)
                return (q @ k.transpose(-2, -1)).softmax(-1) @ v
        """,
    ),
    "before torch scales": (
        "GD911",
        """
        class A(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.h, self.d_k = h, d // h
                self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
            def forward(self, x):
                b, n, d = x.shape
                q = self.q(x).view(b, n, self.h, self.d_k).transpose(1, 2)
                k = self.k(x).view(b, n, self.h, self.d_k).transpose(1, 2)
                v = self.v(x).view(b, n, self.h, self.d_k).transpose(1, 2)
                q = q / math.sqrt(self.d_k)  # here
                y = F.scaled_dot_product_attention(q, k, v)
                return y
        """,
    ),
    "by a method and by hand": (
        "GD911",
        """
        class A(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.h, self.head_dim = h, d // h
                self.scaling = self.head_dim ** -0.5
                self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
            def split(self, t):
                return t.view(t.size(0), -1, self.h, self.head_dim).transpose(1, 2)
            def forward(self, x):
                q = self.split(self.q(x) * self.scaling)
                k, v = self.split(self.k(x)), self.split(self.v(x))
                s = torch.matmul(q, k.transpose(2, 3)) * self.scaling  # here
                return torch.matmul(torch.softmax(s, -1), v)
        """,
    ),
    "fourth roots": (
        "GD911",
        """
        class A(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.h = h
                self.qkv = nn.Linear(d, 3 * d)
            def forward(self, x):
                b, n, d = x.shape
                q, k, v = self.qkv(x).view(b, n, 3, self.h, -1).permute(2, 0, 3, 1, 4)
                r = math.sqrt(math.sqrt(d // self.h))
                q, k = q / r, k / r
                return ((q @ k.transpose(-2, -1))).softmax(-1) @ v
            def other(self, q, k, v):
                q = q / math.sqrt(math.sqrt(q.size(-1)))
                k = k / math.sqrt(math.sqrt(k.size(-1)))
                return (q @ k.transpose(-2, -1)).softmax(-1) @ v
        """,
    ),
}


@pytest.mark.parametrize(("code", "body"), CASES.values(), ids=CASES)
def test_the_marked_lines_and_no_others(code: str, body: str) -> None:
    """Healthy texts have no mark."""
    text = HEAD + plain(body)
    assert lines_of(code, text) == marked(text)
