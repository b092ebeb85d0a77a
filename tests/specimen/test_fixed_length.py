"""Models that take a certain number of tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.specimen.making import build

PAIR = """
class Model(nn.Module):
    def __init__(self, n_items, dim):
        super().__init__()
        self.e = nn.Embedding(n_items, dim)
        self.score = nn.Sequential(nn.Linear({width}, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, pair):
        return self.score(self.e(pair).flatten(1)).squeeze(-1)
"""


@pytest.mark.parametrize(("width", "length"), [("2 * dim", 2), ("20 * dim", 20)])
def test_the_first_layer_tells_how_many(tmp_path: Path, width: str, length: int) -> None:
    """By the widths that it names when it refuses."""
    construction, _ = build(tmp_path, PAIR.format(width=width))
    assert (construction.outcome, construction.length) == ("built", length)


def test_a_width_that_no_length_gives_stays_a_crash(tmp_path: Path) -> None:
    """The layer is wrong, whatever it is given."""
    construction, _ = build(tmp_path, PAIR.format(width="dim + 1"))
    assert construction.outcome == "crashed"


def test_several_inputs_of_whole_numbers_are_unlike(tmp_path: Path) -> None:
    """A ranker that is given the same item twice has nothing to tell apart."""
    text = """
class Model(nn.Module):
    def __init__(self, users, items, dim):
        super().__init__()
        self.u, self.i = nn.Embedding(users, dim), nn.Embedding(items, dim)

    def forward(self, user, good, other):
        gap = (self.u(user) * (self.i(good) - self.i(other))).sum(-1)
        return -F.logsigmoid(gap)
"""
    _, made = build(tmp_path, text)
    assert made is not None
    inputs = made.inputs()
    assert not inputs["good"].equal(inputs["other"])
    assert made.construction.batch != made.construction.length
