"""The sizes that a file names itself, in words."""

from __future__ import annotations

import pytest

from gptdoctor.core.findings import Value
from gptdoctor.report.amounts import Values, size_in_bytes, thousands
from gptdoctor.report.full_sizes import full_size_cell, full_size_sentences

FACTS: dict[str, Value] = {
    "full_sizes": ("default", "config_7b"),
    "parameters_full": (124_439_808, 0),
    "weight_bytes": (497_759_232, 0),
    "gradient_bytes": (497_759_232, 0),
    "adamw_bytes": (995_518_464, 0),
    "full_size_checks": ("forward and backward run at B=3, T=1024", "not built: no data"),
}


@pytest.mark.parametrize(
    ("number", "told"),
    [(999, "999"), (1500, "1.5k"), (124_439_808, "124M"), (6_738_415_616, "6.7B"), (0, "0")],
)
def test_parameters_are_counted_as_models_are_named(number: int, told: str) -> None:
    """One digit behind the point below ten, none above."""
    assert thousands(number) == told


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, "0 bytes"),
        (499, "499 bytes"),
        (30_000, "30 kB"),
        (497_759_232, "498 MB"),
        (510_000_000, "0.5 GB"),
        (26_953_662_464, "27 GB"),
        (1_400_000_000_000, "1,400 GB"),
    ],
)
def test_memory_is_told_in_decimal_units(number: int, told: str) -> None:
    """GB from half of one on, as people compare it with a card's memory."""
    assert size_in_bytes(number) == told


def test_one_sentence_for_each_configuration() -> None:
    """What training keeps, whatever the batch, and how far the configuration was run."""
    assert list(full_size_sentences(Values(FACTS))) == [
        "`default` has 124M parameters; weights 498 MB, gradients 498 MB, AdamW 1.0 GB: "
        "2.0 GB before activations; forward and backward run at B=3, T=1024",
        "`config_7b` not built: no data",
    ]
    assert full_size_cell(Values(FACTS)) == "`default` 124M, 2.0 GB to train"


def test_facts_that_do_not_fit_together_are_left_out() -> None:
    """A result file of another version must not make a report fail."""
    broken = Values({**FACTS, "adamw_bytes": (1,)})
    assert list(full_size_sentences(broken)) == []
    assert full_size_cell(Values({})) is None
