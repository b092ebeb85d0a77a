"""Whether units that start alike become unlike."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gptdoctor.core.measurements.symmetry import Symmetry
from gptdoctor.probes.symmetry import PROBE, alike
from tests.probes.tower import FEED, LINEAR_INIT, TRANSFORMER, changed
from tests.specimen.making import line_of, specimen

INIT = "self.apply(self._init)"


def measured(folder: Path, text: str) -> Symmetry:
    """The measurement of the model in `text`."""
    found = PROBE.measure(specimen(folder, text))
    assert isinstance(found, Symmetry)
    return found


def filled(fill: str) -> tuple[str, str]:
    """A change that fills weights of all blocks after the rest."""
    return INIT, f"{INIT}\n        for block in self.blocks:\n            {fill}"


def test_rows_are_alike_only_where_all_are() -> None:
    """And where there are two rows and two columns to compare."""
    assert alike(torch.ones(3, 4), 0.0)
    assert alike(torch.arange(4.0).repeat(3, 1), 0.0)
    assert not alike(torch.tensor([[1.0, 2.0], [1.0, 2.0], [1.0, 2.5]]), 0.0)
    assert not alike(torch.ones(1, 4), 0.0)
    assert not alike(torch.ones(4, 1), 0.0)
    assert not alike(torch.ones(4), 0.0)


def test_where_no_rows_are_alike_nothing_is_run(tmp_path: Path) -> None:
    """Which is so for most models."""
    assert measured(tmp_path, TRANSFORMER) == Symmetry(alike_as_built=0, steps=0, symmetric=())


@pytest.mark.parametrize(
    "fill",
    [
        "nn.init.zeros_(block.down.weight)",
        "nn.init.constant_(block.up.weight, 0.02)",
        "nn.init.zeros_(block.attn.proj.weight); nn.init.zeros_(block.down.weight)",
        "nn.init.zeros_(self.head.weight)",
        "nn.init.ones_(self.emb.weight)",
        "nn.init.normal_(block.up.weight, std=1e-14); nn.init.zeros_(block.down.weight)",
    ],
    ids=["projection", "one side", "both projections", "head", "embedding", "tiny beside zero"],
)
def test_what_breaks_in_a_step_or_two_is_healthy(tmp_path: Path, fill: str) -> None:
    """One factor that is even beside others that are not."""
    found = measured(tmp_path, changed(filled(fill)))
    assert found.alike_as_built > 0
    assert found.symmetric == ()


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        (
            [
                filled(
                    "[nn.init.constant_(w, 0.02) for w in (block.up.weight, block.down.weight)]"
                ),
                (FEED, FEED.replace("self.ln2(x)", "x")),
            ],
            {"up.weight"},
        ),
        (
            [filled("nn.init.zeros_(block.up.weight); nn.init.zeros_(block.down.weight)")],
            {"up.weight", "down.weight"},
        ),
        (
            [(LINEAR_INIT, "nn.init.constant_(m.weight, 0.0)")],
            {"up.weight", "down.weight", "attn.qkv.weight", "attn.proj.weight"},
        ),
    ],
    ids=["constant", "two zeros", "all zero"],
)
def test_units_that_stay_alike_are_named(
    tmp_path: Path, changes: list[tuple[str, str]], names: set[str]
) -> None:
    """All of a layer's units are worth one, or nothing."""
    found = measured(tmp_path, changed(*changes))
    assert {one.name.partition(".")[2].partition(".")[2] for one in found.symmetric} == names


def test_the_line_that_fills_them_is_found(tmp_path: Path) -> None:
    """In a method that fills all modules of a kind."""
    text = changed((LINEAR_INIT, "nn.init.zeros_(m.weight)"))
    made = specimen(tmp_path, text)
    found = PROBE.measure(made)
    assert isinstance(found, Symmetry)
    assert {one.line for one in found.symmetric} == {line_of(made, "nn.init.zeros_(m.weight)")}


def test_a_weight_that_is_never_used_is_no_matter(tmp_path: Path) -> None:
    """It stays as it is because nobody asks it anything."""
    text = changed((INIT, f"{INIT}\n        self.idle = nn.Parameter(torch.zeros(dim, dim))"))
    assert measured(tmp_path, text).symmetric == ()


def test_vectors_of_zeros_have_a_task_all_the_same(tmp_path: Path) -> None:
    """A model without logits learns what its other rows gave: zeros, as those of its own."""
    text = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.last = nn.Linear(dim, 24)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, ids):
        return self.last(self.e(ids))
"""
    found = measured(tmp_path, text)
    assert (found.alike_as_built, found.symmetric) == (1, ())
