"""GD106: layers that nothing names again, as the text shows them."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of, scan_files

BLOCK = """\
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width, config=None):
        super().__init__()
        self.mix = nn.Linear(width, width)
        {made}

    def forward(self, x):
        return self.mix(x)
"""
LAYER = "self.closing = nn.LayerNorm(width)"

FORGOTTEN = {
    "a layer": LAYER,
    "a parameter": "self.gain = nn.Parameter(torch.ones(width))",
    "several layers": "self.tail = nn.Sequential(nn.Linear(width, width), nn.GELU())",
    "with its type": "self.closing: nn.LayerNorm = nn.LayerNorm(width)",
    "one of a like name": f"self.closings = 3\n        {LAYER}",
}
KEPT = {
    "no weights": "self.drop = nn.Dropout(0.1)",
    "no weights inside": "self.act = nn.Sequential(nn.GELU(), nn.Dropout(0.1))",
    "no affine weights": "self.closing = nn.LayerNorm(width, elementwise_affine=False)",
    "not to be trained": "self.gain = nn.Parameter(torch.ones(width), requires_grad=False)",
    "said to be unused": f"{LAYER}  # unused, old checkpoints have it",
    "a dummy": "self.dummy_weight = nn.Parameter(torch.empty(0))",
}


@pytest.mark.parametrize("made", FORGOTTEN.values(), ids=FORGOTTEN)
def test_a_layer_that_nothing_names_is_seen(made: str) -> None:
    """At the statement that makes it."""
    text = BLOCK.format(made=f"{made}  # here")
    assert lines_of("GD106", text) == marked(text)


@pytest.mark.parametrize("made", KEPT.values(), ids=KEPT)
def test_what_has_no_weights_or_is_meant_is_left_alone(made: str) -> None:
    """By its kind, a comment or its name."""
    assert lines_of("GD106", BLOCK.format(made=made)) == []


WITH_LAYER = BLOCK.format(made=LAYER)
USED = {
    "by another's hand": f"{WITH_LAYER}\n\ndef close(block, x):\n    return block.closing(x)\n",
    "by a child": f"{WITH_LAYER}\n\nclass Child(Block):\n    def forward(self, x):\n"
    "        return self.closing(x)\n",
    "by its name": f'{WITH_LAYER}\n\nNAMES = ("mix", "closing")\n',
    "by any name": WITH_LAYER.replace("self.mix(x)", "getattr(self, x.name)(x)"),
    "as one of all": WITH_LAYER.replace(
        "return self.mix(x)", "return sum(one(x) for one in self.children())"
    ),
    "by a base that is not in sight": WITH_LAYER.replace("nn.Module", "Base"),
    "by whoever goes through parts": f"{WITH_LAYER}\n\ndef run(x):\n"
    "    for part in Block(4).children():\n        x = part(x)\n    return x\n",
}


@pytest.mark.parametrize("text", USED.values(), ids=USED)
def test_a_layer_that_something_may_name_is_left_alone(text: str) -> None:
    """In the file, and without its name."""
    assert lines_of("GD106", text) == []


OTHERS = {
    "an attribute": ("from model import Block\n\nprint(Block(4).closing)\n", []),
    "a child": (
        "from model import Block\n\n\nclass Child(Block):\n    def forward(self, x):\n"
        "        return self.closing(x)\n",
        [],
    ),
    "another class": (
        "from torch import nn\n\n\nclass Other(nn.Module):\n    def forward(self, x):\n"
        "        return self.closing(x)\n",
        [("GD106", 9)],
    ),
}


@pytest.mark.parametrize(("other", "expected"), OTHERS.values(), ids=OTHERS)
def test_other_files_may_use_a_layer(other: str, expected: list[tuple[str, int]]) -> None:
    """One that imports its class, or is given the model; a class that only has a like one not."""
    found = scan_files({"model.py": WITH_LAYER, "other.py": other})
    assert [one for one in found if one[0] == "GD106"] == expected


IDLE = f"""\
import torch
from torch import nn


class Idle(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mix = nn.Linear(width, width)
        {LAYER}  # here

    def forward(self, x):
        x = self.mix(x)
        normed = self.closing(x)
        return x
"""
READ = {
    "returned": ("return x", "return normed"),
    "not meant to be read": ("normed", "_normed"),
    "used once more": ("return x", "return x + self.closing(x)"),
    "read by a method": ("return x", "self.keep(normed)\n        return x"),
    "kept": ("normed =", "self.normed ="),
    "one of two": ("normed =", "normed, x ="),
}


def test_a_layer_whose_result_nobody_reads_is_seen() -> None:
    """At the statement that makes it."""
    assert lines_of("GD106", IDLE) == marked(IDLE)


@pytest.mark.parametrize("change", READ.values(), ids=READ)
def test_a_layer_whose_result_is_read_is_left_alone(change: tuple[str, str]) -> None:
    """Or kept, or not meant to be read."""
    assert lines_of("GD106", IDLE.replace(*change)) == []
