"""Constructors that refuse the first guess and say what they want."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.specimen.making import build

FORWARD = """
        self.e = nn.Embedding(vocab_size, dim)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        return self.out(self.e(idx))
"""
START = (
    "class Model(nn.Module):\n    def __init__(self, vocab_size, dim, {}):\n"
    "        super().__init__()\n"
)
INNER = """\
class GPT(nn.Module):
    def __init__(self, *, num_tokens, dim, depth):
        super().__init__()
        self.e = nn.Embedding(num_tokens, dim)
        self.layers = nn.ModuleList([nn.Linear(dim, dim) for _ in range(depth)])
        self.out = nn.Linear(dim, num_tokens)

    def forward(self, x):
        return self.out(self.e(x))

"""
EXISTS = "def exists(value):\n    return value is not None\n\n"
DIVISIBLE = "def divisible_by(number, by):\n    return number % by == 0\n\n"
REFUSALS = {
    "wants-what-it-defaults-to-none": EXISTS
    + START.format("depth=None")
    + "        assert exists(depth), 'how deep?'"
    + FORWARD,
    "names-in-its-message-what-is-left-out": START.format("depth=None")
    + "        if not isinstance(depth, int): raise ValueError('pass `depth`')"
    + FORWARD,
    "wants-one-size-to-divide-another": DIVISIBLE
    + START.format("max_seq_len, row=48")
    + "        assert divisible_by(max_seq_len, row)"
    + FORWARD,
    "wants-no-remainder": START.format("max_seq_len, row=48")
    + "        if max_seq_len % row != 0: raise ValueError('no')"
    + FORWARD,
    "wants-one-size-above-another": START.format("max_seq_len, cross_seq_len")
    + "        assert 0 < cross_seq_len < max_seq_len"
    + FORWARD,
    "wants-two-to-be-equal": START.format("n_inner, n_outer=50")
    + "        assert n_inner == n_outer"
    + FORWARD,
    "wants-one-of-some-words": START.format("flavour: str")
    + "        assert flavour in {'sweet', 'sour'}"
    + FORWARD,
    "wants-a-flag": START.format("strict=False") + "        assert strict" + FORWARD,
    "hands-on-what-it-does-not-name": INNER
    + "class Model(nn.Module):\n    def __init__(self, dim, **kwargs):\n"
    "        super().__init__()\n        self.net = GPT(dim=dim, **kwargs)\n\n"
    "    def forward(self, x):\n        return self.net(x)\n",
    "sorts-what-it-hands-on-by-prefix": INNER + "def part(prefix, kwargs):\n    n = len(prefix)\n"
    "    return {k[n:]: v for k, v in kwargs.items() if k.startswith(prefix)}\n\n"
    "class Model(nn.Module):\n    def __init__(self, dim, **kwargs):\n        super().__init__()\n"
    "        self.dec = GPT(dim=dim, **part('dec_', kwargs))\n\n    def forward(self, x):\n"
    "        return self.dec(x)\n",
    "checks-what-it-hands-on-by-prefix": INNER.replace(
        "        self.e = nn.Emb", "        assert num_tokens % 3 == 0\n        self.e = nn.Emb"
    )
    + "def part(prefix, kwargs):\n    n = len(prefix)\n"
    "    return {k[n:]: v for k, v in kwargs.items() if k.startswith(prefix)}\n\n"
    "class Model(nn.Module):\n    def __init__(self, dim, **kwargs):\n        super().__init__()\n"
    "        self.dec = GPT(dim=dim, **part('dec_', kwargs))\n\n    def forward(self, x):\n"
    "        return self.dec(x)\n",
    "wants-a-flag-of-the-base-of-a-part": INNER.replace("*, num_tokens", "num_tokens")
    + "class Base(nn.Module):\n    def __init__(self, dim, causal=False):\n"
    "        super().__init__()\n        self.dim, self.causal = dim, causal\n\n"
    "class Layers(Base):\n    def __init__(self, **kwargs):\n        super().__init__(**kwargs)\n\n"
    "class Model(nn.Module):\n    def __init__(self, num_tokens, layers: Layers):\n"
    "        super().__init__()\n        assert layers.causal, 'decoders only'\n"
    "        self.net = GPT(num_tokens=num_tokens, dim=layers.dim, depth=1)\n\n"
    "    def forward(self, x):\n        return self.net(x)\n",
    "wants-a-module-of-one-class": INNER
    + "class Model(nn.Module):\n    def __init__(self, net):\n        super().__init__()\n"
    "        assert isinstance(net, GPT), 'a GPT only'\n        self.net = net\n\n"
    "    def forward(self, x):\n        return self.net(x)\n",
}


@pytest.mark.parametrize("style", REFUSALS)
def test_a_refusal_teaches_what_to_give(tmp_path: Path, style: str) -> None:
    """What the check or the missing argument names is given, and the model is built."""
    construction, _ = build(tmp_path, REFUSALS[style])
    assert construction.outcome == "built", construction.tried
    assert construction.vocabulary in (97, 96)  # one of them wants a multiple of three


def test_a_size_that_no_tiny_model_has_is_not_learned(tmp_path: Path) -> None:
    """A check that wants a width of a million is left unsatisfied, and told."""
    text = START.format("size=1") + "        assert size >= 1_000_000" + FORWARD
    construction, made = build(tmp_path, text)
    assert made is None
    assert construction.outcome == "not-built"
