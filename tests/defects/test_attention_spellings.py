"""GD806 to GD818 and GD908 by numbers, helpers, constants and options that are made elsewhere."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of

HEAD = """\
import math

import torch
import torch.nn.functional as F
from torch import nn

NEVER = -5.0
HIDDEN = -1e9


"""


def attention(body: str, *, more: str = "", name: str = "Attention") -> str:
    """A head with queries, keys and values of `x`, whose forward ends as `body` says."""
    lines = "\n".join(f"        {line}" for line in plain(body).splitlines())
    return f"""\
class {name}(nn.Module):
{more}
    def __init__(self, width):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.register_buffer("tril", torch.tril(torch.ones(64, 64)))

    def forward(self, x, mask=None):
        T = x.size(1)
        q, k, v = self.q(x), self.k(x), self.v(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
{lines}
"""


SICK = {
    "GD806 a number that is spelled": attention(
        """
        scores = scores.masked_fill(self.tril[:T, :T] == 1, float("-1e9"))  # here
        return scores.softmax(-1) @ v
        """
    ),
    "GD806 a constant of the module": attention(
        """
        scores = scores.masked_fill(self.tril[:T, :T] == 1, HIDDEN)  # here
        return scores.softmax(-1) @ v
        """
    ),
    "GD806 where with a table of minus infinity": attention(
        """
        hidden = torch.full_like(scores, float("-inf"))
        scores = torch.where(self.tril[:T, :T] == 1, hidden, scores)  # here
        return scores.softmax(-1) @ v
        """
    ),
    "GD806 the first rows over cached keys": """\
class Cached(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.register_buffer("seen", torch.ones(64, 64, dtype=torch.bool).tril())

    def forward(self, x, past=None):
        q, k, v = self.q(x), self.k(x), self.v(x)
        if past is not None:
            k, v = torch.cat((past[0], k), dim=1), torch.cat((past[1], v), dim=1)
        new, total = q.size(1), k.size(1)
        scores = q @ k.transpose(1, 2) / math.sqrt(q.size(-1))
        keep = self.seen[:new, :total]  # here
        scores = scores.masked_fill(~keep, float("-inf"))
        return scores.softmax(-1) @ v, (k, v)
""",
    "GD806 a triangle over cached keys": """\
class Cached(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.register_buffer("seen", torch.ones(64, 64, dtype=torch.bool).tril())

    def forward(self, x, past=None):
        q, k, v = self.q(x), self.k(x), self.v(x)
        if past is not None:
            k, v = torch.cat((past[0], k), dim=1), torch.cat((past[1], v), dim=1)
        new, total = q.size(1), k.size(1)
        scores = q @ k.transpose(1, 2) / math.sqrt(q.size(-1))
        keep = torch.tril(torch.ones(new, total, device=x.device))  # here
        scores = scores.masked_fill(keep == 0, float("-inf"))
        return scores.softmax(-1) @ v, (k, v)
""",
    "GD806 in place": attention(
        """
        scores.masked_fill_(self.tril[:T, :T] == 1, float("-inf"))  # here
        return scores.softmax(-1) @ v
        """
    ),
    "GD806 a decoder's mask": """\
class Translator(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.whole = nn.Transformer(width, 4, batch_first=True)

    def forward(self, source, target):
        n = target.size(1)
        hidden = torch.ones(n, n, dtype=torch.bool).triu()  # here
        return self.whole(source, target, tgt_mask=hidden)
""",
    "GD814 in place": attention(
        """
        scores.masked_fill_(self.tril[:T, :T] == 0, -1.0)  # here
        return scores.softmax(-1) @ v
        """
    ),
    "GD818 a layer that is made and called": attention(
        """
        return nn.Softmax(dim=-2)(scores) @ v  # here
        """
    ),
    "GD818 a single column": """\
class Pool(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner, self.context = nn.Linear(width, width), nn.Parameter(torch.randn(width, 1))

    def forward(self, x):
        weights = F.softmax(torch.tanh(self.inner(x)) @ self.context, dim=-1)  # here
        return (weights * x).sum(dim=1)
""",
    "GD911 a factor that is a buffer": """\
class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.register_buffer("scale", torch.tensor(1 / math.sqrt(width // heads)))

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        q = q * self.scale  # here
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
""",
    "GD814 a constant of the class": attention(
        """
        scores = scores.masked_fill(self.tril[:T, :T] == 0, self.hiding)  # here
        return scores.softmax(-1) @ v
        """,
        more="    hiding = -2.0\n",
    ),
    "GD814 a penalty of a helper": attention(
        """
        scores = scores + self.penalty(mask)  # here
        return scores.softmax(-1) @ v
        """,
        more="""\
    def penalty(self, mask):
        return (1.0 - mask[:, None, :].float()) * NEVER
""",
    ),
    "GD814 a triangle of small numbers": attention(
        """
        bias = torch.triu(torch.full((T, T), -2.0, device=x.device), diagonal=1)
        return (scores + bias).softmax(-1) @ v  # here
        """
    ),
    "GD814 a penalty under a name": attention(
        """
        rest = (1 - mask.float()) * -4
        scores = scores + rest  # here
        return scores.softmax(-1) @ v
        """
    ),
    "GD813 where with zeros": attention(
        """
        weights = scores.softmax(-1)
        weights = torch.where(mask[:, None], weights, torch.zeros_like(weights))  # here
        return weights @ v
        """
    ),
    "GD813 a mask that is given": """\
def attend(q, k, v, mask=None):
    p = F.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.size(-1)), dim=-1)
    if mask is not None:
        p = p.masked_fill(mask == 0, 0.0)  # here
    return p @ v
""",
    "GD813 a mask that is given, as a factor": """\
def attend(q, k, v, attn_mask):
    p = F.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.size(-1)), dim=-1)
    return (p * attn_mask) @ v  # here
""",
    "GD814 a mask that is given, as a factor": """\
def attend(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
    if mask is not None:
        scores = scores * mask  # here
    return F.softmax(scores, dim=-1) @ v
""",
    "GD817 a docstring of one line": """\
class Tagger(nn.Module):
    def __init__(self, vocab, width):
        super().__init__()
        self.words, self.gru = nn.Embedding(vocab, width), nn.GRU(width, width)  # here

    def forward(self, tokens):
        \'\'\'tokens: (batch, seq)\'\'\'
        return self.gru(self.words(tokens))[0]
""",
    "GD818 scores of one feature": """\
class Pool(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, x):
        weights = torch.softmax(self.score(x), dim=-1)  # here
        return (weights * x).sum(dim=1)
""",
    "GD818 one feature in steps": """\
class Pool(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, 1, bias=False)

    def forward(self, x, mask):
        energy = self.outer(torch.tanh(self.inner(x)))
        energy = energy.masked_fill(mask.unsqueeze(-1), -1e9)
        return (energy.softmax(-1) * x).sum(dim=1)  # here
""",
    "GD908 heads by their form alone": """\
class Attention(nn.Module):
    def __init__(self, width, nh):
        super().__init__()
        self.nh, self.hs = nh, width // nh
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        B, T, C = x.size()
        parts = self.qkv(x).split(C, dim=2)
        q, k, v = [one.view(B, T, self.nh, self.hs).transpose(1, 2) for one in parts]
        att = F.softmax(q @ k.transpose(-2, -1), dim=-1)  # here
        return self.out((att @ v).transpose(1, 2).reshape(B, T, C))
""",
    "GD811 a table that ones are written into, in options": """\
class Tagger(nn.Module):
    def __init__(self, vocab, width, pad_id=0):
        super().__init__()
        self.pad_id = pad_id
        self.words = nn.Embedding(vocab, width)
        self.attend = nn.MultiheadAttention(width, 4, batch_first=True)

    def padding(self, ids):
        pads = torch.zeros(ids.shape, device=ids.device)
        pads[ids == self.pad_id] = 1.0
        return pads

    def forward(self, ids):
        x = self.words(ids)
        options = dict(key_padding_mask=self.padding(ids), need_weights=False)
        return self.attend(x, x, x, **options)[0]  # here
""",
    "GD817 norms of a list": """\
class Ranker(nn.Module):
    def __init__(self, items, width):
        super().__init__()
        self.items = nn.Embedding(items, width)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.attend = nn.MultiheadAttention(width, 4)  # here

    def forward(self, ids):
        batch, steps = ids.shape
        h = self.norms[0](self.items(ids))
        return self.attend(h, h, h, need_weights=False)[0]
""",
    "GD808 noise of a helper": """\
class Router(nn.Module):
    def __init__(self, width, experts, jitter=0.1):
        super().__init__()
        self.gate, self.jitter = nn.Linear(width, experts), jitter

    def raw(self, x):
        logits = self.gate(x)
        return logits.add(torch.randn_like(logits), alpha=self.jitter)  # here

    def forward(self, x):
        return self.raw(x).topk(2, dim=-1)
""",
}
HEALTHY = {
    "GD806 the same rightly": attention(
        """
        scores = scores.masked_fill(self.tril[:T, :T] == 0, float("-1e9"))
        return scores.softmax(-1) @ v
        """
    ),
    "GD806 the last rows over cached keys": """\
class Cached(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.register_buffer("seen", torch.ones(64, 64, dtype=torch.bool).tril())

    def forward(self, x, past=None):
        q, k, v = self.q(x), self.k(x), self.v(x)
        if past is not None:
            k, v = torch.cat((past[0], k), dim=1), torch.cat((past[1], v), dim=1)
        new, total = q.size(1), k.size(1)
        scores = q @ k.transpose(1, 2) / math.sqrt(q.size(-1))
        keep = self.seen[total - new : total, :total]
        scores = scores.masked_fill(~keep, float("-inf"))
        return scores.softmax(-1) @ v, (k, v)
""",
    "GD806 a triangle that lies higher": """\
class Cached(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.register_buffer("seen", torch.ones(64, 64, dtype=torch.bool).tril())

    def forward(self, x, past=None):
        q, k, v = self.q(x), self.k(x), self.v(x)
        if past is not None:
            k, v = torch.cat((past[0], k), dim=1), torch.cat((past[1], v), dim=1)
        new, total = q.size(1), k.size(1)
        scores = q @ k.transpose(1, 2) / math.sqrt(q.size(-1))
        keep = torch.ones(new, total, device=x.device).tril(total - new)
        scores = scores.masked_fill(keep == 0, float("-inf"))
        return scores.softmax(-1) @ v, (k, v)
""",
    "GD814 in place, and hidden": attention(
        """
        scores.masked_fill_(self.tril[:T, :T] == 0, float("-inf"))
        return scores.softmax(-1) @ v
        """
    ),
    "GD806 in place, rightly": attention(
        """
        scores.masked_fill_(self.tril[:T, :T] == 0, float("-inf"))
        return nn.Softmax(dim=-1)(scores) @ v
        """
    ),
    "GD818 several columns": """\
class Pool(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.inner = nn.Linear(width, width)
        self.context = nn.Parameter(torch.randn(width, heads))

    def forward(self, x):
        weights = F.softmax(torch.tanh(self.inner(x)) @ self.context, dim=1)
        chosen = F.softmax(x @ self.context, dim=-1)
        return torch.einsum("bth,btd->bhd", weights, x), chosen
""",
    "GD814 a constant that hides": attention(
        """
        scores = scores.masked_fill(self.tril[:T, :T] == 0, HIDDEN)
        return scores.softmax(-1) @ v
        """
    ),
    "GD814 a constant that a method sets": attention(
        """
        self.hiding = mask.sum()
        scores = scores.masked_fill(self.tril[:T, :T] == 0, self.hiding)
        return scores.softmax(-1) @ v
        """,
        more="    hiding = -2.0\n",
    ),
    "GD814 a penalty that hides": attention(
        """
        rest = (1 - mask.float()) * -10000.0
        scores = scores + rest
        return scores.softmax(-1) @ v
        """
    ),
    "GD814 a triangle that hides": attention(
        """
        bias = torch.triu(torch.full((T, T), -1e4, device=x.device), diagonal=1)
        return (scores + bias).softmax(-1) @ v
        """
    ),
    "GD814 a bias that is no mask": attention(
        """
        scores = scores + (1 - self.tril[:T, :T].cumsum(-1)) * -0.5
        return scores.masked_fill(self.tril[:T, :T] == 0, HIDDEN).softmax(-1) @ v
        """
    ),
    "GD813 rows that were hidden before": attention(
        """
        scores = scores.masked_fill(~mask[:, None], float("-inf"))
        weights = scores.softmax(-1)
        weights = torch.where(mask[:, None], weights, torch.zeros_like(weights))
        return weights @ v
        """
    ),
    "GD813 heads that are left out": attention(
        """
        weights = scores.masked_fill(self.tril[:T, :T] == 0, HIDDEN).softmax(-1)
        weights = torch.where(mask[:, None], weights, torch.zeros_like(weights))
        return weights @ v
        """
    ),
    "GD813 a mask of heads": """\
def attend(q, k, v, head_mask=None):
    p = F.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.size(-1)), dim=-1)
    if head_mask is not None:
        p = p * head_mask
    return p @ v
""",
    "GD814 a factor that is no mask": """\
def attend(q, k, v, gate=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
    if gate is not None:
        scores = scores * gate
    return F.softmax(scores, dim=-1) @ v
""",
    "GD818 scores along the text": """\
class Pool(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, x):
        first = torch.softmax(self.score(x), dim=1)
        second = torch.softmax(self.score(x).squeeze(-1), dim=-1).unsqueeze(-1)
        return (first * x).sum(dim=1) + (second * x).sum(dim=1)
""",
    "GD908 heads that are scaled": """\
class Attention(nn.Module):
    def __init__(self, width, nh):
        super().__init__()
        self.nh, self.hs = nh, width // nh
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        B, T, C = x.size()
        parts = self.qkv(x).split(C, dim=2)
        q, k, v = [one.view(B, T, self.nh, self.hs).transpose(1, 2) for one in parts]
        att = F.softmax(q @ k.transpose(-2, -1) / self.hs**0.5, dim=-1)
        return self.out((att @ v).transpose(1, 2).reshape(B, T, C))
""",
    "GD811 truth values in options": """\
class Tagger(nn.Module):
    def __init__(self, vocab, width, pad_id=0):
        super().__init__()
        self.pad_id = pad_id
        self.words = nn.Embedding(vocab, width)
        self.attend = nn.MultiheadAttention(width, 4, batch_first=True)

    def padding(self, ids):
        pads = torch.zeros(ids.shape, device=ids.device, dtype=torch.bool)
        pads[ids == self.pad_id] = True
        return pads

    def forward(self, ids):
        x = self.words(ids)
        options = dict(key_padding_mask=self.padding(ids), need_weights=False)
        return self.attend(x, x, x, **options)[0]
""",
    "GD808 noise of a helper in training": """\
class Router(nn.Module):
    def __init__(self, width, experts, jitter=0.1):
        super().__init__()
        self.gate, self.jitter = nn.Linear(width, experts), jitter

    def raw(self, x):
        logits = self.gate(x)
        return logits.add(torch.randn_like(logits), alpha=self.jitter)

    def forward(self, x):
        if self.training:
            return self.raw(x).topk(2, dim=-1)
        return self.gate(x).topk(2, dim=-1)
""",
}


@pytest.mark.parametrize(("name", "text"), SICK.items(), ids=SICK)
def test_a_spelling_is_seen(name: str, text: str) -> None:
    """On its line, and only there."""
    text = f"{HEAD}{text}"
    assert lines_of(name[:5], text) == marked(text)


@pytest.mark.parametrize(("name", "text"), HEALTHY.items(), ids=HEALTHY)
def test_what_looks_like_it_is_left_alone(name: str, text: str) -> None:
    """Each does nearly the same, and rightly."""
    assert lines_of(name[:5], f"{HEAD}{text}") == []
