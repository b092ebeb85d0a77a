"""GD411: texts that outgrow a learnt table of positions, as the text shows them."""

from __future__ import annotations

import textwrap

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

NETWORK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Writer(nn.Module):
    def __init__(self, vocab_size, block_size, width):
        super().__init__()
        self.block_size = block_size
        self.words = nn.Embedding(vocab_size, width)
        self.places = {table}
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, places=None, mask=None):
{forward}

    def generate(self, ids, steps, max_length=20):
{generate}
        return ids
"""
TABLE = "nn.Embedding(block_size, width)"
PARAMETER = "nn.Parameter(torch.zeros(1, block_size, width))"
FORWARD = """\
b, t = ids.shape
x = self.words(ids) + self.places(torch.arange(t, device=ids.device))
return self.head(x)
"""
GENERATE = """\
for _ in range(steps):
    token = self(ids)[:, -1].argmax(-1, keepdim=True)  # here
    ids = torch.cat([ids, token], dim=1)
"""


def written(*, table: str = TABLE, forward: str = FORWARD, generate: str = GENERATE) -> str:
    """A network that generates."""
    return NETWORK.format(
        table=table,
        forward=textwrap.indent(forward, "        "),
        generate=textwrap.indent(generate, "        "),
    )


OUTGROWN = {
    "a parameter": written(
        table=PARAMETER,
        forward="return self.head(self.words(ids) + self.places[:, : ids.size(1)])\n",
    ),
    "its weight": written(
        forward=FORWARD.replace("self.places(torch.arange(t, device=ids.device))", "p").replace(
            "x =", "p = self.places.weight[:t]\nx ="
        )
    ),
    "looked up by a function": written(
        forward="places = torch.arange(0, ids.size(-1))[None, :]\n"
        "return self.head(self.words(ids) + self.places(places.expand_as(ids)))\n"
    ),
    "positions that may be given": written(
        forward="if places is None:\n    places = torch.arange(ids.shape[1])\n"
        "return self.head(self.words(ids) + self.places(places))\n"
    ),
    "refused inside": written(forward=f"assert ids.shape[1] <= self.block_size\n{FORWARD}"),
    "until it is long enough": written(
        generate="while ids.size(1) < max_length:\n"
        + GENERATE.partition("\n")[2].replace("[ids, token], dim=1", "(ids, token), -1")
    ),
    "with a mask": written(generate=GENERATE.replace("self(ids)", "self(ids, mask=None)")),
    "a model that is told": written()
    .replace("    def generate(self,", "def write(net: Writer,")
    .replace("\n        for _", "\n    for _")
    .replace("            token = self", "        token = net")
    .replace("            ids =", "        ids =")
    .replace("        return ids\n", "    return ids\n"),
}
WITHIN = {
    "cropped": written(generate=GENERATE.replace("self(ids)", "self(ids[:, -self.block_size :])")),
    "cropped by a helper": written(generate=GENERATE.replace("self(ids)", "self(fit(ids))")),
    "cropped afterwards": written(generate=f"{GENERATE}    ids = ids[:, -64:]\n"),
    "cropped in forward": written(forward=f"ids = ids[:, -self.block_size :]\n{FORWARD}"),
    "cropped in forward where it is long": written(
        forward="b, t = ids.shape\nif t > self.block_size:\n"
        "    ids = ids[:, -self.block_size :]\n    t = self.block_size\n"
        "return self.head(self.words(ids) + self.places(torch.arange(t)))\n"
    ),
    "no more than fit": written(generate=f"steps = min(steps, 64 - ids.size(1))\n{GENERATE}"),
    "stopped at the limit": written(
        generate=f"{GENERATE}    if ids.size(1) >= self.block_size:\n        break\n"
    ),
    "stopped at a length": written(
        generate=f"{GENERATE}    if ids.size(1) >= max_length:\n        break\n"
    ),
    "refused before": written(
        generate=f"assert ids.size(1) + steps <= self.block_size\n{GENERATE}"
    ),
    "until the limit": written(
        generate="while ids.size(1) < self.block_size:\n" + GENERATE.partition("\n")[2]
    ),
    "a few tokens": written(generate=GENERATE.replace("range(steps)", "range(8)")),
    "one token at a time": written(
        generate=GENERATE.replace("self(ids)", "self(token)").replace("for", "token = ids\nfor", 1)
    ),
    "a cache": written(generate=GENERATE.replace("self(ids)", "self(ids, past=1)")),
    "positions that are given": written(
        forward="if places is None:\n    places = torch.arange(ids.shape[1])\n"
        "return self.head(self.words(ids) + self.places(places))\n",
        generate=GENERATE.replace("self(ids)", "self(ids, places=steps)"),
    ),
    "positions that end": written(
        forward=FORWARD.replace(
            "torch.arange(t, device=ids.device)", "torch.arange(t).clamp(max=9)"
        )
    ),
    "positions that come again": written(
        forward=FORWARD.replace("torch.arange(t, device=ids.device)", "torch.arange(t) % 64")
    ),
    "longer ones computed": written(
        forward="t = ids.size(1)\nif t > 64:\n    return self.head(self.words(ids))\n"
        "return self.head(self.words(ids) + self.places(torch.arange(t)))\n"
    ),
    "no table": written(table="Sines(block_size, width)"),
    "no table of positions": written(
        forward=FORWARD.replace("torch.arange(t, device=ids.device)", "ids % 64")
    ),
    "rows, and not positions": written(
        forward=FORWARD.replace("torch.arange(t, device=ids.device)", "torch.arange(b)")
    ),
    "rows that are added": written(generate=GENERATE.replace("dim=1", "dim=0")),
}


@pytest.mark.parametrize("text", OUTGROWN.values(), ids=OUTGROWN)
def test_a_text_that_outgrows_its_positions_is_seen(text: str) -> None:
    """However positions are looked up, and wherever the text is refused inside."""
    assert lines_of("GD411", text) == marked_in(text)


@pytest.mark.parametrize("text", WITHIN.values(), ids=WITHIN)
def test_a_text_that_stays_within_is_left_alone(text: str) -> None:
    """Cropped, bounded, read token by token, or without an end to its positions."""
    assert lines_of("GD411", text) == []


def marked_in(text: str) -> list[int]:
    """The marked lines, of which there is one."""
    found = marked(text)
    assert len(found) == 1
    return found


WRAPPED = """

class Completer:
    def __init__(self, model: Writer):
        self.model = model.eval()

    @torch.no_grad()
    def __call__(self, ids, steps):
        for _ in range(steps):
            z = self.model({given})[:, -1]  # here
            ids = torch.cat([ids, z.softmax(-1).multinomial(1)], dim=1)
        return ids


@torch.no_grad()
def write(model, ids, steps):
    for _ in range(steps):
        z = model({given})[:, -1]  # here
        ids = torch.cat([ids, z.softmax(-1).multinomial(1)], dim=1)
    return ids
"""


def test_a_model_that_is_given_to_a_class_or_a_function_is_known() -> None:
    """By the type of the constructor's argument, and as the one model of the file."""
    network = NETWORK.format(
        table=TABLE,
        forward=textwrap.indent(FORWARD, " " * 8),
        generate=" " * 8 + "pass",
    )
    text = f"{network}{WRAPPED.format(given='ids')}"
    assert lines_of("GD411", text) == marked(text)
    assert lines_of("GD411", f"{network}{WRAPPED.format(given='ids[:, -9:]')}") == []
