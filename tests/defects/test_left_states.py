"""GD707, GD807 and GD808: what one call leaves for the next, and what chance leaves."""

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
    "tables, tensors, what is kept": (
        "GD707",
        """
        class M(nn.Module):
            def __init__(self, d, layers=[], names=()):  # here
                super().__init__()
                self.layers = layers
                self.fc = nn.Linear(d, d)
            def add(self, x):
                self.layers.append(x)
            def forward(self, x, state=torch.zeros(4), extra=[]):  # here
                state += x.mean(0).detach()
                for e in extra:
                    x = x + e
                return x

        def evaluate(model, loader, history=defaultdict(list)):  # here
            for x, y in loader:
                history["loss"].append(model(x))
            return history

        def h1(model, loader, history=None, opts={}):
            history = history or []
            history.append(1)
            for k in opts:
                print(k)
            opts = dict(opts)
            opts["a"] = 1
            return history

        def h2(model, x, cache={}):
            if x not in cache:
                cache[x] = model(x)
            return cache[x]
        """,
    ),
    "a table that instances share": (
        "GD707",
        """
        class Net(nn.Module):
            def __init__(self, d, stats={"n": 0}):  # here
                super().__init__()
                self.stats = stats
                self.fc = nn.Linear(d, d)
            def forward(self, x):
                self.stats["n"] += x.size(0)
                return self.fc(x)
        """,
    ),
    "recurrent states and statistics": (
        "GD807",
        """
        class S1(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.rnn = nn.LSTM(d, d, batch_first=True)
                self.fc = nn.Linear(d, 2)
                self.hidden = None
            def _init_weights(self, m):
                nn.init.xavier_uniform_(m.weight)
            def forward(self, x):
                out, self.hidden = self.rnn(x, self.hidden)  # here
                self.hidden = tuple(h.detach() for h in self.hidden)
                return self.fc(out[:, -1])

        class S2(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.cell = nn.GRUCell(d, d)
                self.fc = nn.Linear(d, 2)
                self.h = torch.zeros(1, d)
            def forward(self, x):
                self.h = self.cell(x, self.h)  # here
                return self.fc(self.h)

        class S3(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.fc = nn.Linear(d, 2)
                self.register_buffer("mean", torch.zeros(d))
            def forward(self, x):
                m = x.mean(0)
                self.mean = 0.9 * self.mean + 0.1 * m.detach()  # here
                return self.fc(x - self.mean)

        class S4(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.fc = nn.Linear(d, 2)
                self.seen = []
            def forward(self, x):
                self.seen.append(x.mean(0).detach())  # here
                ctx = torch.stack(self.seen).mean(0)
                return self.fc(x + ctx)

        class S5(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.fc = nn.Linear(d, 2)
                self.prev = None
            def forward(self, x):
                h = self.fc(x)
                if self.prev is not None:
                    h = h + self.prev
                self.prev = h.detach()  # here
                return h

        class H1(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.fc = nn.Linear(d, 2)
                self.register_buffer("mean", torch.zeros(d))
                self.attn = None
            def forward(self, x):
                if self.training:
                    self.mean.lerp_(x.mean(0).detach(), 0.1)
                h = self.fc(x - self.mean)
                self.attn = h
                return h

        class H2(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.fc = nn.Linear(d, 2)
                self.h = None
            def forward(self, x):
                self.h = torch.zeros_like(x[:, 0])
                for t in range(x.size(1)):
                    self.h = torch.tanh(self.fc(x[:, t]) + self.h)
                return self.h

        class H3(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.fc = nn.Linear(d, 2)
                self.state = None
            def reset(self):
                self.state = None
            def forward(self, x):
                out, self.state = self.fc(x, self.state)
                return out

        class H4(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.fc = nn.Linear(d, 2)
            def forward(self, x):
                self.x = self.fc(x)
                self.y = self.x.relu()
                return self.y + self.x
        """,
    ),
    "begun anew for other batches": (
        "GD807",
        """
        class CharRNN(nn.Module):
            def __init__(self, v, h):
                super().__init__()
                self.h = h
                self.emb = nn.Embedding(v, h)
                self.rnn = nn.RNN(h, h, batch_first=True)
                self.fc = nn.Linear(h, v)
                self.state = None
            def forward(self, x):
                e = self.emb(x)
                if self.state is None or self.state.size(1) != x.size(0):
                    self.state = torch.zeros(1, x.size(0), self.h, device=x.device)
                out, new_state = self.rnn(e, self.state)
                self.state = new_state.detach()  # here
                return self.fc(out)
        """,
    ),
    "a bank": (
        "GD807",
        """
        class Mem(nn.Module):
            def __init__(self, d, n=16):
                super().__init__()
                self.register_buffer("bank", torch.zeros(n, d))
                self.q = nn.Linear(d, d)
                self.ptr = 0
            def forward(self, x):
                keys = self.bank
                att = (self.q(x) @ keys.t()).softmax(-1)
                out = x + att @ keys
                with torch.no_grad():
                    self.bank = torch.roll(self.bank, 1, 0)
                    self.bank[0] = x.mean(0)  # here
                return out
        """,
    ),
    "set up at the first call": (
        "GD807",
        """
        class ActNorm(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.register_buffer("loc", torch.zeros(d))
                self.ready = False
                self.last = None
            def forward(self, x):
                if not self.ready:
                    self.loc = x.mean(0).detach()
                    self.ready = True
                y = x - self.loc
                self.last = y
                return y
        """,
    ),
    "in training alone": (
        "GD807",
        """
        class Norm(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.register_buffer("mean", torch.zeros(d))
                self.fc = nn.Linear(d, d)
            @torch.no_grad()
            def track(self, x):
                if self.training:
                    self.mean.lerp_(x.mean(0), 0.1)
            def forward(self, x):
                self.track(x)
                return self.fc(x - self.mean)
        """,
    ),
    "begun in each call": (
        "GD807",
        """
        class Walker(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.cell = nn.GRUCell(d, d)
                self.d = d
            def forward(self, x):
                self.h = x.new_zeros(x.size(0), self.d)
                outs = []
                for t in range(x.size(1)):
                    self.h = self.cell(x[:, t], self.h)
                    outs.append(self.h)
                return torch.stack(outs, 1)
        """,
    ),
    "made anew": (
        "GD808",
        """
        class Net(nn.Module):
            def __init__(self, d, c):
                super().__init__()
                self.a, self.b = nn.Linear(d, d), nn.Linear(d, c)
            def forward(self, x):
                h = torch.relu(self.a(x))
                h = nn.Dropout(0.5)(h)  # here
                return self.b(h)
        """,
    ),
    "noise of a router": (
        "GD808",
        """
        class Router(nn.Module):
            def __init__(self, d, n):
                super().__init__()
                self.gate = nn.Linear(d, n)
                self.experts = nn.ModuleList([nn.Linear(d, d) for _ in range(n)])
            def forward(self, x):
                logits = self.gate(x)
                logits = logits + torch.randn_like(logits) * 0.1  # here
                w = logits.softmax(-1)
                return sum(w[..., i:i + 1] * e(x) for i, e in enumerate(self.experts))
        """,
    ),
    "rows left out": (
        "GD808",
        """
        class DropPath(nn.Module):
            def __init__(self, p):
                super().__init__()
                self.p = p
            def forward(self, x):
                keep = 1 - self.p
                mask = torch.rand(x.size(0), 1, 1, device=x.device) < keep  # here
                return x * mask / keep
        """,
    ),
    "spread options": (
        "GD808",
        """
        class Net(nn.Module):
            def __init__(self, d, p=0.1):
                super().__init__()
                self.p = p
                self.a = nn.Linear(d, d)
                self.attn_kwargs = {}
            def forward(self, q, k, v):
                opts = dict(dropout_p=self.p)
                return F.scaled_dot_product_attention(self.a(q), k, v, **opts)  # here
        """,
    ),
    "of a configuration": (
        "GD808",
        """
        class Net(nn.Module):
            def __init__(self, d, cfg):
                super().__init__()
                self.cfg = cfg
                self.a = nn.Linear(d, d)
            def forward(self, x):
                return x + F.dropout(self.a(x), self.cfg.dropout)  # here
        """,
    ),
    "a trainer": (
        "GD707",
        """
        class Trainer:
            def __init__(self, model, callbacks=[]):  # here
                self.model = model
                self.callbacks = callbacks
            def add(self, cb):
                self.callbacks.append(cb)
            def step(self, batch):
                loss = self.model(batch).mean()
                loss.backward()
        """,
    ),
    "a keyword": (
        "GD707",
        """
        @torch.no_grad()
        def generate(model, ids, n, *, out=[]):  # here
            for _ in range(n):
                nxt = model(ids)[:, -1].argmax(-1, keepdim=True)
                out.append(nxt)
                ids = torch.cat([ids, nxt], dim=1)
            return torch.cat(out, dim=1)
        """,
    ),
    "a cell": (
        "GD807",
        """
        class Dec(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.cell = nn.LSTMCell(d, d)
                self.h = self.c = None
                self.d = d
            def forward(self, x):
                if self.h is None:
                    self.h = x.new_zeros(x.size(0), self.d)
                    self.c = x.new_zeros(x.size(0), self.d)
                self.h, self.c = self.cell(x, (self.h, self.c))  # here
                return self.h
        """,
    ),
    "a copy of a mean": (
        "GD807",
        """
        class Router(nn.Module):
            def __init__(self, d, n):
                super().__init__()
                self.g = nn.Linear(d, n)
                self.register_buffer("load", torch.zeros(n))
            def forward(self, x):
                p = (self.g(x) - self.load).softmax(-1)
                with torch.no_grad():
                    self.load.copy_(0.9 * self.load + 0.1 * p.mean(dim=(0, 1)))  # here
                return p
        """,
    ),
    "a history": (
        "GD807",
        """
        class Ctx(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.fc = nn.Linear(d, d)
                self.history = []
            def forward(self, x):
                if len(self.history) > 0:
                    x = x + torch.stack(self.history[-4:]).mean(0)
                y = self.fc(x)
                self.history.append(y.mean(0).detach())  # here
                return y
        """,
    ),
    "a method that collects": (
        "GD701",
        """
        class Fuse(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.a, self.b = nn.Linear(d, d), nn.Linear(d, d)
            def collect(self, x, y):
                outs = []
                if x is not None:
                    outs += [self.a(x)]
                if y is not None:
                    outs += [self.b(y)]
                return outs
            def forward(self, x=None, y=None):
                outs = self.collect(x, y)
                return torch.cat(outs, dim=1)  # here
        """,
    ),
    "asked by get": (
        "GD701",
        """
        class Fuse(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.a, self.b = nn.Linear(d, d), nn.Linear(d, d)
            def forward(self, **inputs):
                x, y = inputs.get("x"), inputs.get("y")
                outs = []
                if x is not None:
                    outs.append(self.a(x))
                if y is not None:
                    outs.append(self.b(y))
                return torch.stack(outs).sum(0)  # here
        """,
    ),
}


@pytest.mark.parametrize(("code", "body"), CASES.values(), ids=CASES)
def test_the_marked_lines_and_no_others(code: str, body: str) -> None:
    """Healthy texts have no mark."""
    text = HEAD + plain(body)
    assert lines_of(code, text) == marked(text)
