"""Turned views, reversed axes and routed tokens, through helpers, comments and activations."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of

HEAD = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n\n\n"

CASES = {
    "GD310 an activation of a convolution": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.conv = nn.Conv1d(dim, dim, 3)
            def forward(self, x):
                h = torch.relu(self.conv(x))
                n, c, t = h.shape
                return h.permute(0, 2, 1).view(n * t, c)  # here
    """,
    "GD310 heads of a comprehension": """
        class Net(nn.Module):
            def __init__(self, dim, heads):
                super().__init__()
                self.h = heads
                self.qkv = nn.Linear(dim, 3 * dim)
            def forward(self, x):
                B, T, D = x.shape
                parts = self.qkv(x).chunk(3, dim=-1)
                q, k, v = [t.view(B, T, self.h, -1).transpose(1, 2) for t in parts]
                y = (q @ k.transpose(-2, -1)).softmax(-1) @ v
                return y.transpose(1, 2).view(B, T, D)  # here
    """,
    "GD310 one head of a comprehension": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.qkv = nn.Linear(dim, 3 * dim)
            def forward(self, x):
                B, T, D = x.shape
                q, k, v = [t.float() for t in self.qkv(x).chunk(3, dim=-1)]
                y = (q @ k.transpose(-2, -1)).softmax(-1) @ v
                return y.transpose(1, 2).view(B, D, T)
    """,
    "GD310 a norm of a convolution": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.conv = nn.Conv2d(3, dim, 3)
                self.bn = nn.BatchNorm2d(dim)
            def forward(self, x):
                h = F.relu(self.bn(self.conv(x)))
                b, c, n, m = h.shape
                return h.permute(0, 2, 3, 1).view(b * n * m, c)  # here
    """,
    "GD310 an activation of what is given": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.mix = nn.Linear(dim, dim)
            def forward(self, x):
                n, c, t = x.shape
                return self.mix(torch.relu(x).permute(0, 2, 1).view(n * t, c))
    """,
    "GD310 a helper of layers' results": """
        def split(t, heads):
            b, n, c = t.shape
            t = t.view(b, n, heads, c // heads)
            t = torch.swapaxes(t, 1, 2)
            return t.view(b * heads, n, c // heads)  # here
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.q, self.k = nn.Linear(dim, dim), nn.Linear(dim, dim)
            def forward(self, x):
                return split(self.q(x), 4) @ split(self.k(x), 4).mT
    """,
    "GD310 a helper of anything": """
        def split(t, heads):
            b, n, c = t.shape
            t = t.view(b, n, heads, c // heads)
            t = torch.swapaxes(t, 1, 2)
            return t.view(b * heads, n, c // heads)
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.q = nn.Linear(dim, dim)
            def forward(self, x, context):
                return split(self.q(x), 4) @ split(context, 4).mT
    """,
    "GD310 a helper that copies": """
        def split(t, heads):
            b, n, c = t.shape
            t = t.view(b, n, heads, c // heads)
            t = torch.swapaxes(t, 1, 2).contiguous()
            return t.view(b * heads, n, c // heads)
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.q = nn.Linear(dim, dim)
            def forward(self, x):
                return split(self.q(x), 4)
    """,
    "GD311 a comment of what is given": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.left, self.right = nn.Linear(dim, dim), nn.Linear(dim, dim)
            def forward(self, a, b):
                # a: (batch, n, dim), b: (batch, m, dim)
                u, v = self.left(a), self.right(b)
                return u @ v.T  # here
    """,
    "GD311 a comment of two dimensions": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.left, self.right = nn.Linear(dim, dim), nn.Linear(dim, dim)
            def forward(self, a, b):
                # a: (n, dim), b: (m, dim)
                u, v = self.left(a), self.right(b)
                return u @ v.T
    """,
    "GD311 a comment of another value": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.left = nn.Linear(dim, dim)
            def forward(self, a):
                # gives a (batch, n, dim) tensor for each
                return self.left(a).T
    """,
    "GD311 a comment of what comes later": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.left = nn.Linear(dim, dim)
            def forward(self, rows):
                y = self.left(rows).T
                # rows: (batch, n, dim)
                rows = rows.view(4, -1, 8)
                return y, rows
    """,
    "GD306 a function of torch": """
        class Net(nn.Module):
            def __init__(self, dim, heads):
                super().__init__()
                self.n_heads = heads
                self.mix = nn.Linear(dim, dim)
            def fold(self, t):
                b, s, c = t.shape
                return torch.reshape(t, (b * self.n_heads, s, c // self.n_heads))  # here
            def forward(self, x):
                return self.fold(self.mix(x))
    """,
    "GD306 a function of torch behind a turn": """
        class Net(nn.Module):
            def __init__(self, dim, heads):
                super().__init__()
                self.n_heads = heads
                self.mix = nn.Linear(dim, dim)
            def fold(self, t):
                b, s, c = t.shape
                t = torch.reshape(t, (b, s, self.n_heads, c // self.n_heads)).transpose(1, 2)
                return torch.reshape(t, (b * self.n_heads, s, c // self.n_heads))
            def forward(self, x):
                return self.fold(self.mix(x))
    """,
    "GD207 rows of features": """
        class Router(nn.Module):
            def __init__(self, dim, experts):
                super().__init__()
                self.proj = nn.Linear(dim, experts)
            def forward(self, tokens):
                scores = self.proj(tokens.flatten(0, 1))
                shares = F.softmax(scores, dim=0)  # here
                return shares.topk(2, dim=-1)
    """,
    "GD207 experts of rows": """
        class Router(nn.Module):
            def __init__(self, dim, experts):
                super().__init__()
                self.proj = nn.Linear(dim, experts)
            def forward(self, tokens):
                scores = self.proj(tokens.flatten(0, 1))
                shares = F.softmax(scores, dim=1)
                return shares.topk(2, dim=-1)
    """,
    "GD207 a division by hand": """
        class Experts(nn.Module):
            def __init__(self, dim, n):
                super().__init__()
                self.maps = nn.Parameter(torch.randn(n, dim, dim))
                self.key = nn.Linear(dim, n)
            def gate(self, rows):
                score = F.softplus(self.key(rows))
                return score / score.sum(0, keepdim=True)  # here
            def forward(self, rows):
                each = torch.einsum("ni,eio->neo", rows, self.maps)
                return torch.einsum("ne,neo->no", self.gate(rows), each)
    """,
    "GD207 a softmax before a sum": """
        class Experts(nn.Module):
            def __init__(self, dim, n):
                super().__init__()
                self.maps = nn.Parameter(torch.randn(n, dim, dim))
                self.key = nn.Linear(dim, n)
            def forward(self, rows):
                shares = self.key(rows).softmax(dim=0)  # here
                each = torch.einsum("ni,eio->neo", rows, self.maps)
                return torch.einsum("ne,neo->no", shares, each)
    """,
    "GD207 a division over the experts": """
        class Experts(nn.Module):
            def __init__(self, dim, n):
                super().__init__()
                self.maps = nn.Parameter(torch.randn(n, dim, dim))
                self.key = nn.Linear(dim, n)
            def forward(self, rows):
                score = F.softplus(self.key(rows))
                shares = score / score.sum(-1, keepdim=True)
                each = torch.einsum("ni,eio->neo", rows, self.maps)
                return torch.einsum("ne,neo->no", shares, each)
    """,
    "GD207 an average of tokens that experts are given": """
        class Experts(nn.Module):
            def __init__(self, dim, n):
                super().__init__()
                self.maps = nn.Parameter(torch.randn(n, dim, dim))
                self.key = nn.Linear(dim, n)
            def forward(self, rows):
                shares = self.key(rows).softmax(dim=0)
                slots = torch.einsum("ne,ni->ei", shares, rows)
                made = torch.einsum("ei,eio->eo", slots, self.maps)
                return torch.einsum("ne,eo->no", self.key(rows).softmax(dim=1), made)
    """,
    "GD206 split before they are sorted": """
        class Mixture(nn.Module):
            def __init__(self, dim, n):
                super().__init__()
                self.gate = nn.Linear(dim, n)
                self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n))
            def forward(self, x):
                p, e = self.gate(x).softmax(-1).max(-1)
                order = e.argsort()
                counts = torch.bincount(e, minlength=len(self.experts)).tolist()
                chunks = x.split(counts)  # here
                out = torch.empty_like(x)
                out[order] = torch.cat([f(c) for f, c in zip(self.experts, chunks)])
                return out * p.unsqueeze(-1)
    """,
    "GD206 split after they are sorted": """
        class Mixture(nn.Module):
            def __init__(self, dim, n):
                super().__init__()
                self.gate = nn.Linear(dim, n)
                self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n))
            def forward(self, x):
                p, e = self.gate(x).softmax(-1).max(-1)
                order = e.argsort()
                counts = torch.bincount(e, minlength=len(self.experts)).tolist()
                x = x.index_select(0, order)
                chunks = x.split(counts)
                out = torch.empty_like(x)
                out[order] = torch.cat([f(c) for f, c in zip(self.experts, chunks)])
                return out * p.unsqueeze(-1)
    """,
    "GD203 an average beside shares": """
        class Mixture(nn.Module):
            def __init__(self, dim, n):
                super().__init__()
                self.gate = nn.Linear(dim, n)
                self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n))
            def forward(self, x):
                shares = F.softmax(self.gate(x), dim=-1)
                outs = torch.stack([expert(x) for expert in self.experts], dim=1)
                return outs.mean(dim=1), shares.detach()  # here
    """,
    "GD203 an average beside shares of a method": """
        class Mixture(nn.Module):
            def __init__(self, dim, n):
                super().__init__()
                self.gate = nn.Linear(dim, n)
                self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n))
            def route(self, x):
                logits = self.gate(x)
                return logits.softmax(dim=1), logits.logsumexp(1)
            def forward(self, x):
                shares, z = self.route(x)
                outs = torch.stack([expert(x) for expert in self.experts])
                return torch.mean(outs, 0), z.mean(), shares  # here
    """,
    "GD203 a sum beside shares": """
        class Mixture(nn.Module):
            def __init__(self, dim, n):
                super().__init__()
                self.gate = nn.Linear(dim, n)
                self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n))
            def forward(self, x):
                shares = F.softmax(self.gate(x), dim=-1)
                return sum(e(x) for e in self.experts) / len(self.experts), shares  # here
    """,
    "GD203 a sum of weighed experts": """
        class Mixture(nn.Module):
            def __init__(self, dim, n):
                super().__init__()
                self.gate = nn.Linear(dim, n)
                self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n))
            def forward(self, x):
                shares = F.softmax(self.gate(x), dim=-1)
                return sum(w * e(x) for w, e in zip(shares.unbind(-1), self.experts))
    """,
    "GD203 shares that weigh": """
        class Mixture(nn.Module):
            def __init__(self, dim, n):
                super().__init__()
                self.gate = nn.Linear(dim, n)
                self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n))
            def forward(self, x):
                shares = F.softmax(self.gate(x), dim=-1)
                outs = torch.stack([expert(x) for expert in self.experts], dim=1)
                plain = outs.mean(dim=1)
                return (outs * shares.unsqueeze(-1)).sum(1) + plain
    """,
    "GD203 shares that are handed on": """
        class Mixture(nn.Module):
            def __init__(self, dim, n):
                super().__init__()
                self.gate = nn.Linear(dim, n)
                self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n))
            def forward(self, x):
                shares = F.softmax(self.gate(x), dim=-1)
                outs = torch.stack([expert(x) for expert in self.experts], dim=1)
                return outs.mean(dim=1) + self.mixed(outs, shares)
    """,
    "GD203 an average of other things": """
        class Mixture(nn.Module):
            def __init__(self, dim, n):
                super().__init__()
                self.gate = nn.Linear(dim, n)
                self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n))
            def forward(self, x):
                shares = F.softmax(self.gate(x), dim=-1)
                outs = torch.stack([expert(x) for expert in self.experts], dim=1)
                return outs.mean(dim=-1), shares
    """,
    "GD109 a list of random matrices": """
        def xavier(*shape):
            return nn.init.xavier_uniform_(torch.empty(*shape))
        class Net(nn.Module):
            def __init__(self, dim, many):
                super().__init__()
                self.mix = nn.Linear(dim, dim)
                self.relations = [xavier(dim, dim) for _ in range(many)]  # here
                self.bias = nn.Parameter(torch.zeros(many))
            def forward(self, x, one):
                x = self.mix(x)
                return x @ self.relations[one] + self.bias[one]
    """,
    "GD109 a list of random parameters": """
        def xavier(*shape):
            return nn.Parameter(nn.init.xavier_uniform_(torch.empty(*shape)))
        class Net(nn.Module):
            def __init__(self, dim, many):
                super().__init__()
                self.mix = nn.Linear(dim, dim)
                self.relations = nn.ParameterList([xavier(dim, dim) for _ in range(many)])
                self.bias = nn.Parameter(torch.zeros(many))
            def forward(self, x, one):
                x = self.mix(x)
                return x @ self.relations[one] + self.bias[one]
    """,
}


@pytest.mark.parametrize("name", CASES)
def test_axes_by_other_ways(name: str) -> None:
    """Only the lines that are marked are told."""
    text = HEAD + plain(CASES[name])
    assert lines_of(name[:5], text) == marked(text)
