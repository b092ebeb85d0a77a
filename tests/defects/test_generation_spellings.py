"""GD402 to GD417 through helpers, wrappers and names, and what looks like them and is right."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

NETWORK = """\
import torch
import torch.nn.functional as F
from torch import distributions as td
from torch import nn


class Writer(nn.Module):
    def __init__(self, vocab, width, block_size=32):
        super().__init__()
        self.block_size = block_size
        self.words = nn.Embedding(vocab, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(width, vocab)

    def forward(self, ids):
        return self.head(self.drop(self.mix(self.words(ids))[0]))
"""


def method(body: str, *, named: str = "generate", given: str = "", mark: str = "no_grad") -> str:
    """A method of the network that generates: `body` makes `token` of `z`."""
    return f"""
    @torch.{mark}()
    def {named}(self, ids, steps{given}):
        for _ in range(steps):
            z = self(ids[:, -self.block_size:])[:, -1]
{_indented(body, 12)}
            ids = torch.cat([ids, token], dim=1)
        return ids
"""


def helper(text: str, use: str, given: str = "") -> str:
    """A helper, and a function that generates with it: `use` makes `token` of `z`."""
    return f"""

{text.strip()}


@torch.no_grad()
def generate(model, ids, steps{given}):
    for _ in range(steps):
        z = model(ids[:, -32:])[:, -1]
{_indented(use, 8)}
        ids = torch.cat([ids, token], dim=1)
    return ids
"""


def _indented(text: str, columns: int) -> str:
    return "\n".join(f"{' ' * columns}{line}" for line in text.strip("\n").splitlines())


DRAW = "token = z.softmax(-1).multinomial(1)"
T = ", temperature=1.0"
SICK = {
    "GD402 an operation of which nothing is kept": method(
        f"if temperature != 1.0:\n    z.div(temperature)  # here\n{DRAW}", given=T
    ),
    "GD402 a helper is not told": helper(
        "def draw(z, temperature=1.0):\n    return (z / temperature).softmax(-1).multinomial(1)",
        "token = draw(z)",
        T,
    ).replace("=1.0):\n    for", "=1.0):  # here\n    for"),
    "GD402 only the order is scaled": method(
        "keep = (z / 1).topk(9).indices\nscaled = z / temperature\nkeep = scaled.topk(9).indices\n"
        "z = z.gather(-1, keep)  # here\ntoken = keep.gather(-1, z.softmax(-1).multinomial(1))",
        given=T,
    ),
    "GD402 kept by the class": """

class Drawer:
    def __init__(self, model, temperature=0.8):
        self.model = model
        self.temperature = temperature  # here

    @torch.no_grad()
    def __call__(self, ids, steps):
        for _ in range(steps):
            token = self.model(ids)[:, -1].softmax(-1).multinomial(1)
            ids = torch.cat([ids, token], dim=1)
        return ids
""",
    "GD402 a helper leaves it": """

class Careful(Writer):
    def scores(self, ids, temperature):  # here
        return self(ids)[:, -1]

    @torch.no_grad()
    def write(self, ids, steps, temperature=1.0):
        for _ in range(steps):
            z = self.scores(ids, temperature)
            ids = torch.cat([ids, z.softmax(-1).multinomial(1)], 1)
        return ids
""",
    "GD403 a power in a helper": helper(
        "def sharpen(p, temperature: float):\n    p = p ** temperature  # here\n"
        "    return p / p.sum(-1, keepdim=True)",
        "token = sharpen(z.softmax(-1), temperature).multinomial(1)",
        T,
    ),
    "GD404 in a helper": helper(
        "def soften(p, temperature):\n    return p / temperature  # here",
        "p = z.softmax(-1)\np = soften(p, temperature)\ntoken = p.multinomial(1)",
        T,
    ),
    "GD405 a helper": helper(
        "def sample_token(z):\n    _, best = torch.topk(z.softmax(-1), k=1)  # here\n"
        "    return best",
        "token = sample_token(z)",
    ),
    "GD405 the first of an order": method(
        "order = z.argsort(dim=-1, descending=True)  # here\ntoken = order[:, :1]", named="sample"
    ),
    "GD406 the largest for the least": method(
        "v, _ = torch.topk(z, min(top_k, z.size(-1)))\n"
        f"z[z < v[:, [0]]] = -torch.inf  # here\n{DRAW}",
        given=", top_k=9",
    ),
    "GD406 zeros before a softmax": helper(
        "def top_k_filter(z, k):\n    v = z.topk(k).values[..., -1:]\n"
        "    return torch.where(z < v, torch.zeros_like(z), z)  # here",
        "token = torch.multinomial(F.softmax(top_k_filter(z, 9), -1), 1)",
    ),
    "GD406 values in zeros": helper(
        "def top_k_filter(z, k):\n    best = z.topk(k, dim=-1)\n"
        "    kept = torch.zeros_like(z)  # here\n"
        "    return kept.scatter(-1, best.indices, best.values)",
        "token = top_k_filter(z, 9).softmax(-1).multinomial(1)",
    ),
    "GD406 ranks for tokens": method(
        "v, order = z.topk(top_k)\ntoken = v.softmax(-1).multinomial(1)  # here", given=", top_k=9"
    ),
    "GD406 one less": method(
        f"v = z.topk(top_k).values[:, [-1]]\nz = z.masked_fill(z <= v, -1e9)  # here\n{DRAW}",
        given=", top_k=9",
    ),
    "GD406 the likeliest are marked and shut out": method(
        "_, best = z.topk(top_k)\nmask = torch.zeros_like(z, dtype=torch.bool)\n"
        "mask = mask.scatter(1, best, True)\nz = z.masked_fill(mask, -torch.inf)  # here\n"
        f"{DRAW}",
        given=", top_k=9",
    ),
    "GD406 the wrong end of an order": method(
        f"v = z.sort(dim=-1)[0][:, [top_k]]\nz = z.masked_fill(z < v, -torch.inf)  # here\n{DRAW}",
        given=", top_k=9",
    ),
    "GD407 a mask in another order": helper(
        "def nucleus(z, top_p):\n    ordered, order = torch.sort(z, descending=True)\n"
        "    out = ordered.softmax(-1).cumsum(-1) > top_p\n"
        "    out[..., 1:] = out[..., :-1].clone()\n    out[..., 0] = False\n"
        "    return z.masked_fill(out, -torch.inf)  # here",
        "token = nucleus(z, 0.9).softmax(-1).multinomial(1)",
    ),
    "GD407 sums of logits": helper(
        "def nucleus(logits, top_p):\n    ordered, order = torch.sort(logits, descending=True)\n"
        "    out = torch.cumsum(ordered, -1) > top_p  # here\n"
        "    out[..., 1:] = out[..., :-1].clone()\n    out[..., 0] = False\n"
        "    return logits.masked_fill(out.scatter(-1, order, out), -torch.inf)",
        "token = nucleus(z, 0.9).softmax(-1).multinomial(1)",
    ),
    "GD407 the head shut out, by a share": helper(
        "def pick(p, share):\n    p, order = p.sort(dim=-1, descending=True)\n"
        "    p = p.masked_fill(p.cumsum(-1) < share, 0.0)  # here\n"
        "    return order.gather(-1, p.multinomial(1))",
        "token = pick(z.softmax(-1), 0.9)",
    ),
    "GD407 ranks for tokens": method(
        "p, order = z.softmax(-1).sort(descending=True)\np[p.cumsum(-1) - p > top_p] = 0\n"
        "token = torch.multinomial(p, 1)  # here",
        given=", top_p=0.9",
    ),
    "GD407 ranks of what was divided by its sum": helper(
        "def sample_top_p(probs, p):\n    ordered, order = torch.sort(probs, descending=True)\n"
        "    mask = torch.cumsum(ordered, -1) - ordered > p\n    ordered[mask] = 0.0\n"
        "    ordered.div_(ordered.sum(-1, keepdim=True))\n"
        "    return torch.multinomial(ordered, 1)  # here",
        "token = sample_top_p(z.softmax(-1), 0.9)",
    ),
    "GD408 in a try": """

def sample(net, ids, steps):
    mode = net.training
    try:
        net.train(True)  # here
        with torch.no_grad():
            for _ in range(steps):
                ids = torch.cat([ids, net(ids)[:, -1].softmax(-1).multinomial(1)], 1)
    finally:
        net.train(mode)
    return ids
""",
    "GD408 under its own name": """

@torch.no_grad()
def sample(net, ids, steps):
    net = net.train()  # here
    for _ in range(steps):
        ids = torch.cat([ids, net(ids)[:, -1].softmax(-1).multinomial(1)], 1)
    return ids
""",
    "GD408 a model that is kept": """

class Drawer:
    def __init__(self, model):
        self.model = model

    @torch.no_grad()
    def write(self, ids, steps):
        self.model.train()  # here
        for _ in range(steps):
            ids = torch.cat([ids, self.model(ids)[:, -1].softmax(-1).multinomial(1)], 1)
        self.model.eval()
        return ids
""",
    "GD408 put back, and never changed": method(DRAW)
    .replace("        for", "        was = self.training\n        for")
    .replace("        return", "        self.train(was)  # here\n        return"),
    "GD409 kept, and never put back": method(DRAW).replace(
        "        for", "        was = self.training\n        self.eval()  # here\n        for"
    ),
    "GD406 a threshold that nothing reads": method(
        f"v, _ = torch.topk(z, min(top_k, 9))  # here\n{DRAW}", given=", top_k=9"
    ),
    "GD404 before the helper that draws": helper(
        "def draw(p):\n    return torch.multinomial(p, 1)",
        "p = z.softmax(-1) / temperature  # here\ntoken = draw(p)",
        T,
    ),
    "GD408 in the loop": method(DRAW)
    .replace("            z = self(", "            self.train()  # here\n            z = self(")
    .replace("            token", "            self.eval()\n            token"),
    "GD409 into training whatever it was": method(DRAW)
    .replace("        for", "        self.eval()\n        for")
    .replace("        return ids", "        self.train()  # here\n        return ids"),
    "GD409 by another word": method(DRAW).replace(
        "        for", "        self.train(False)  # here\n        for"
    ),
    "GD409 a helper joins": """

class Careful(Writer):
    @torch.no_grad()
    def write(self, ids, steps):
        self.eval()  # here
        for _ in range(steps):
            ids = self.longer(ids)
        return ids

    def longer(self, ids):
        return torch.cat([ids, self(ids)[:, -1].softmax(-1).multinomial(1)], 1)
""",
    "GD410 into places of a text": """

def write(model, ids, length):  # here
    text = torch.zeros(len(ids), length, dtype=torch.long)
    text[:, 0] = ids
    for i in range(1, length):
        text[:, i] = model(text[:, :i])[:, -1].argmax(-1)
    return text
""",
    "GD410 the block comes too late": """

    def write(self, ids, steps):  # here
        for _ in range(steps):
            z = self(ids)[:, -1]
            with torch.no_grad():
                token = z.softmax(-1).multinomial(1)
            ids = torch.cat([ids, token], 1)
        return ids
""",
    "GD410 a helper runs the model": """

class Drawer:
    def __init__(self, model):
        self.model = model.eval()

    def next_token(self, ids):
        return self.model(ids)[:, -1].softmax(-1).multinomial(1)

    def write(self, ids, steps):  # here
        for _ in range(steps):
            ids = torch.cat([ids, self.next_token(ids)], 1)
        return ids
""",
    "GD411 the beginning, by a name": method(DRAW).replace(
        "            z = self(ids[:, -self.block_size:])[:, -1]",
        "            seen = ids[:, : self.block_size]  # here\n            z = self(seen)[:, -1]",
    ),
    "GD411 the beginning, where it is long": method(DRAW).replace(
        "            z = self(ids[:, -self.block_size:])[:, -1]",
        "            seen = ids if ids.size(1) < 32 else ids[:, : self.block_size]  # here\n"
        "            z = self(seen)[:, -1]",
    ),
    "GD412 by a method, under a name": method(
        f"rows = ids.size(0)\n{DRAW}\nhit = token.eq(eos)\nif hit.any():  # here\n    break",
        given=", eos=None",
    ),
    "GD412 one row ends all": method(
        f"rows = ids.size(0)\n{DRAW}\n"
        "if eos is not None and (token == eos).any():  # here\n    break",
        given=", eos=None",
    ),
    "GD412 the first row ends all": method(
        f"rows = ids.size(0)\n{DRAW}\nif token[0].item() == eos:  # here\n    break",
        given=", eos=None",
    ),
    "GD412 anywhere in the batch": method(
        f"rows = ids.shape[0]\n{DRAW}\nif eos_id in token:  # here\n    return ids",
        given=", eos_id=None",
    ),
    "GD416 one of several results": """

class Twofold(Writer):
    def __init__(self, vocab, width):
        super().__init__(vocab, width)
        self.head = nn.Linear(width, vocab)

    def forward(self, ids):
        return self.head(self.words(ids)), None

    @torch.no_grad()
    def draw(self, ids):
        scores = self(ids)[0][:, -1]
        return td.Categorical(probs=scores).sample()  # here
""",
    "GD416 logarithms of a helper": helper(
        "def scores(z):\n    return F.log_softmax(z, dim=-1)",
        "token = scores(z).multinomial(1)  # here",
    ),
    "GD417 mixed with an even share": helper(
        "def mixed(z):\n    return 0.99 * z.softmax(-1) + 0.01 / 32",
        "token = td.OneHotCategorical(logits=mixed(z)).sample().argmax(-1)[:, None]  # here",
    ),
    "GD417 in the second place": method(
        "p = z.softmax(-1)\ntoken = td.Categorical(None, p).sample()[:, None]  # here"
    ),
    "GD417 made to sum to one again": method(
        "p = z.softmax(-1)\np = p / p.sum(-1, keepdim=True)\n"
        "token = td.Categorical(logits=p).sample()[:, None]  # here"
    ),
    "GD417 a network that ends with a softmax": """

class Policy(nn.Module):
    def __init__(self, width, actions):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(width, actions), nn.Softmax(dim=-1))

    def forward(self, x):
        return self.net(x)


policy = Policy(4, 2)


def act(state):
    return td.Categorical(logits=policy(state)).sample()  # here
""",
}
HEALTHY = {
    "GD402 a helper is told": helper(
        "def draw(z, temperature=1.0):\n    return (z / temperature).softmax(-1).multinomial(1)",
        "token = draw(z, temperature)",
        T,
    ),
    "GD402 a helper reads it": """

class Careful(Writer):
    def scores(self, ids, temperature):
        return self(ids)[:, -1] / temperature

    @torch.no_grad()
    def write(self, ids, steps, temperature=1.0):
        for _ in range(steps):
            z = self.scores(ids, temperature)
            ids = torch.cat([ids, z.softmax(-1).multinomial(1)], 1)
        return ids
""",
    "GD402 in place": method(f"z.div_(temperature)\n{DRAW}", given=T),
    "GD402 the values as well": method(
        "z = z / temperature\nkeep = z.topk(9).indices\nz = z.gather(-1, keep)\n"
        "token = keep.gather(-1, z.softmax(-1).multinomial(1))",
        given=T,
    ),
    "GD402 kept and read": """

class Drawer:
    def __init__(self, model, temperature=0.8):
        self.model = model
        self.temperature = temperature

    @torch.no_grad()
    def __call__(self, ids):
        return (self.model(ids)[:, -1] / self.temperature).softmax(-1).multinomial(1)
""",
    "GD403 a power of the reciprocal": helper(
        "def sharpen(p, temperature: float):\n    p = p ** (1 / temperature)\n"
        "    return p / p.sum(-1, keepdim=True)",
        "token = sharpen(z.softmax(-1), temperature).multinomial(1)",
        T,
    ),
    "GD404 a helper of logits": helper(
        "def soften(z, temperature):\n    return z / temperature",
        "z = soften(z, temperature)\ntoken = z.softmax(-1).multinomial(1)",
        T,
    ),
    "GD405 a helper that draws": helper(
        "def sample_token(z):\n    noise = torch.empty_like(z).exponential_().log()\n"
        "    return torch.topk(z - noise, 1)[1]",
        "token = sample_token(z)",
    ),
    "GD405 a helper that says what it does": helper(
        "def greedy(z):\n    return z.topk(1).indices", "token = greedy(z)"
    ),
    "GD406 zeros among probabilities": helper(
        "def top_k_filter(p, k):\n    v = p.topk(k).values[..., -1:]\n"
        "    p = torch.where(p < v, torch.zeros_like(p), p)\n"
        "    return p / p.sum(-1, keepdim=True)",
        "token = torch.multinomial(top_k_filter(F.softmax(z, -1), 9), 1)",
    ),
    "GD406 values in infinities": helper(
        "def top_k_filter(z, k):\n    best = z.topk(k, dim=-1)\n"
        "    kept = torch.full_like(z, -torch.inf)\n"
        "    return kept.scatter(-1, best.indices, best.values)",
        "token = top_k_filter(z, 9).softmax(-1).multinomial(1)",
    ),
    "GD406 ranks looked up": method(
        "v, order = z.topk(top_k)\nrank = v.softmax(-1).multinomial(1)\n"
        "token = torch.gather(order, -1, rank)",
        given=", top_k=9",
    ),
    "GD406 the likeliest are marked and stay": method(
        "_, best = z.topk(top_k)\nmask = torch.zeros_like(z, dtype=torch.bool)\n"
        "mask = mask.scatter(1, best, True)\nz = z.masked_fill(~mask, -torch.inf)\n"
        f"{DRAW}",
        given=", top_k=9",
    ),
    "GD406 the right end of an order": method(
        f"v = z.sort(dim=-1)[0][:, [-top_k]]\nz = z.masked_fill(z < v, -torch.inf)\n{DRAW}",
        given=", top_k=9",
    ),
    "GD406 one more than asked for, by a name": method(
        f"more = top_k + 1\nv = z.topk(more)[0][:, [-1]]\nz[z <= v] = -torch.inf\n{DRAW}",
        given=", top_k=9",
    ),
    "GD406 a share of the largest": method(
        f"v = z.softmax(-1).topk(2).values[:, :1]\nz[z.softmax(-1) < 0.1 * v] = -torch.inf\n{DRAW}",
        given=", top_k=9",
    ),
    "GD406 the largest, one by one": method(
        f"v = z.topk(1).values[:, [0]]\nz = z - v\nz[z < v[:, [0]]] = -1e9\n{DRAW}",
        given=", top_k=9",
    ),
    "GD407 a mask put back": helper(
        "def nucleus(z, top_p):\n    ordered, order = torch.sort(z, descending=True)\n"
        "    out = ordered.softmax(-1).cumsum(-1) > top_p\n"
        "    out = torch.cat([torch.zeros_like(out[..., :1]), out[..., :-1]], -1)\n"
        "    return z.masked_fill(out.scatter(-1, order, out), -torch.inf)",
        "token = nucleus(z, 0.9).softmax(-1).multinomial(1)",
    ),
    "GD407 what stays": helper(
        "def pick(p, share):\n    p, order = p.sort(dim=-1, descending=True)\n"
        "    p = p * (p.cumsum(-1) - p < share)\n"
        "    return order.gather(-1, p.multinomial(1))",
        "token = pick(z.softmax(-1), 0.9)",
    ),
    "GD407 tokens of the order": helper(
        "def nucleus(z, top_p):\n    ordered, order = torch.sort(z, descending=True)\n"
        "    out = ordered.softmax(-1).cumsum(-1) > top_p\n"
        "    out[..., 1:] = out[..., :-1].clone()\n    out[..., 0] = False\n"
        "    ordered = ordered.masked_fill(out, -torch.inf)\n"
        "    return torch.empty_like(z).scatter(-1, order, ordered)",
        "token = nucleus(z, 0.9).softmax(-1).multinomial(1)",
    ),
    "GD407 what was divided by its sum": helper(
        "def sample_top_p(probs, p):\n    ordered, order = torch.sort(probs, descending=True)\n"
        "    mask = torch.cumsum(ordered, -1) - ordered > p\n    ordered[mask] = 0.0\n"
        "    ordered.div_(ordered.sum(-1, keepdim=True))\n"
        "    return torch.gather(order, -1, torch.multinomial(ordered, 1))",
        "token = sample_top_p(z.softmax(-1), 0.9)",
    ),
    "GD408 evaluating first": """

def sample(net, ids, steps):
    try:
        net.train()
        net.eval()
        for _ in range(steps):
            ids = torch.cat([ids, net(ids)[:, -1].softmax(-1).multinomial(1)], 1)
    finally:
        net.train()
    return ids
""",
    "GD408 when it fails": """

def sample(net, ids, steps):
    try:
        ids = ids.cuda()
    except RuntimeError:
        net.train()
    for _ in range(steps):
        ids = torch.cat([ids, net(ids)[:, -1].softmax(-1).multinomial(1)], 1)
    return ids
""",
    "GD408 put back, and changed by a decorator": method(DRAW)
    .replace("    @torch.no_grad()", "    @evaluating")
    .replace("        for", "        was = self.training\n        for")
    .replace("        return", "        self.train(was)\n        return"),
    "GD408 put back after another call": method(DRAW)
    .replace("        for", "        was = self.training\n        self.train(False)\n        for")
    .replace("        return", "        self.train(was)\n        return"),
    "GD406 values that are read": method(
        "v, _ = torch.topk(z, min(top_k, 9))\nz = z.clamp(min=v[:, -1:])\n" + DRAW,
        given=", top_k=9",
    ),
    "GD408 evaluating in each turn": method(DRAW).replace(
        "            z = self(",
        "            self.train()\n            self.eval()\n            z = self(",
    ),
    "GD409 only what it was": method(DRAW)
    .replace("        for", "        was = self.training\n        self.eval()\n        for")
    .replace("        return ids", "        self.train(was)\n        return ids"),
    "GD410 the helper turns them off": """

class Drawer:
    def __init__(self, model):
        self.model = model

    @torch.no_grad()
    def scores(self, ids):
        return self.model(ids)[:, -1]

    def write(self, ids, steps):
        for _ in range(steps):
            ids = torch.cat([ids, self.scores(ids).softmax(-1).multinomial(1)], 1)
        return ids
""",
    "GD410 answers to other inputs": """

def accuracy(z, y):
    return (z.argmax(-1) == y).float().mean()


def evaluate(model, batches):
    found = []
    for x, y in batches:
        z = model(x)
        found.append(accuracy(z, y))
        found.append(z.argmax(-1))
    return found
""",
    "GD411 the end, by a name": method(DRAW).replace(
        "            z = self(ids[:, -self.block_size:])[:, -1]",
        "            seen = ids[:, -self.block_size :]\n            z = self(seen)[:, -1]",
    ),
    "GD412 all rows": method(
        f"rows = ids.size(0)\n{DRAW}\nif (token == eos).all():\n    break", given=", eos=None"
    ),
    "GD412 a single row": method(
        f"assert ids.size(0) == 1\n{DRAW}\nif (token == eos).any():\n    break", given=", eos=None"
    ),
    "GD412 rows are marked": method(
        f"rows = ids.size(0)\n{DRAW}\nif (token == eos).any():\n    ids[0] = eos",
        given=", eos=None",
    ),
    "GD416 shares of a helper": helper(
        "def scores(z):\n    return F.log_softmax(z, dim=-1).exp()",
        "token = scores(z).multinomial(1)",
    ),
    "GD417 logarithms of a mixture": helper(
        "def mixed(z):\n    return (0.99 * z.softmax(-1) + 0.01 / 32).log()",
        "token = td.OneHotCategorical(logits=mixed(z)).sample().argmax(-1)[:, None]",
    ),
    "GD417 a network without": """

class Policy(nn.Module):
    def __init__(self, width, actions):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(width, actions), nn.LogSoftmax(dim=-1))

    def forward(self, x):
        return self.net(x)


policy = Policy(4, 2)


def act(state):
    return td.Categorical(logits=policy(state)).sample()
""",
}


@pytest.mark.parametrize(("name", "text"), SICK.items(), ids=SICK)
def test_a_spelling_is_seen(name: str, text: str) -> None:
    """On its line, and only there."""
    text = f"{NETWORK}{text}"
    assert lines_of(name[:5], text) == marked(text)


@pytest.mark.parametrize(("name", "text"), HEALTHY.items(), ids=HEALTHY)
def test_what_looks_like_it_is_left_alone(name: str, text: str) -> None:
    """Each does the same operations, and rightly."""
    assert lines_of(name[:5], f"{NETWORK}{text}") == []
