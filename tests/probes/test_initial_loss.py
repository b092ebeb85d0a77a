"""The loss of a fresh model, and what makes it large."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from gptdoctor.core.measurements.initial_loss import InitialLoss
from gptdoctor.probes.initial_loss import PROBE, expected_loss, next_loss
from tests.probes.tower import LAST, LINEAR_INIT, TRANSFORMER, changed
from tests.specimen.making import line_of, specimen


def test_even_logits_lose_ln_v() -> None:
    """And others more, by half their variance; what is ruled out does not count."""
    assert expected_loss(torch.zeros(2, 5, 7)) == pytest.approx(math.log(7))
    torch.manual_seed(0)
    spread = 0.5 * torch.randn(50, 40, 1000)
    assert expected_loss(spread) == pytest.approx(math.log(1000) + 0.125, abs=0.01)
    padded = torch.nn.functional.pad(torch.zeros(2, 5, 7), (0, 3), value=-torch.inf)
    assert expected_loss(padded) == pytest.approx(math.log(7))


def test_the_next_id_is_the_one_after() -> None:
    """Logits that name it lose nothing; those that name the same one do."""
    ids = torch.randint(7, (3, 9))
    named = 50.0 * torch.nn.functional.one_hot(ids, 7)
    assert next_loss(named.roll(-1, dims=1), ids) == pytest.approx(0.0, abs=1e-6)
    assert (next_loss(named, ids) or 0.0) > 5
    assert next_loss(named[:, :1], ids[:, :1]) is None


def test_a_healthy_model_loses_ln_v(tmp_path: Path) -> None:
    """Nothing is looked into."""
    found = PROBE.measure(specimen(tmp_path, TRANSFORMER))
    assert isinstance(found, InitialLoss)
    assert found.expected_nats == pytest.approx(math.log(97), abs=0.05)
    assert found.next_nats == pytest.approx(math.log(97), abs=0.1)
    assert (found.vocabulary, found.loud) == (97, None)


BY_DATA = ("self.apply(self._init)", "self.head.weight.data = self.emb.weight.data")
TIED = ("self.apply(self._init)", "self.head.weight = self.emb.weight")


@pytest.mark.parametrize(
    ("changes", "kind", "line"),
    [
        ([(LINEAR_INIT, "nn.init.normal_(m.weight, std=1.0)")], "weight", "std=1.0"),
        ([(LAST, LAST + " * 200")], "scale", "* 200"),
        (
            [(LAST, "x = 1000 * x\n        return self.head(x)")],
            "input",
            "return self.head(x)",
        ),
        ([TIED], "weight", "self.emb = "),
        ([BY_DATA], "weight", "self.head = "),
    ],
    ids=["weight", "scale", "input", "tied", "tied by its data"],
)
def test_what_makes_the_logits_large_is_named(
    tmp_path: Path, changes: list[tuple[str, str]], kind: str, line: str
) -> None:
    """The line that fills the head, that scales its logits, or the head's own call."""
    made = specimen(tmp_path, changed(*changes))
    found = PROBE.measure(made)
    assert isinstance(found, InitialLoss)
    assert found.expected_nats > 1.5 * found.uniform_nats
    assert found.loud is not None
    assert (found.loud.kind, found.loud.line) == (kind, line_of(made, line))
    assert (found.loud.tied and found.loud.as_torch_makes_it) is (changes in ([TIED], [BY_DATA]))


def test_the_last_of_several_fills_is_told(tmp_path: Path) -> None:
    """The head is tied to the table: what fills linear layers fills it, and no later line does."""
    text = changed(
        ("nn.init.normal_(m.weight, std=0.02)", "nn.init.normal_(m.weight, std=2.0)"),
        (
            "self.apply(self._init)",
            "self.emb.weight = self.head.weight\n        "
            "self.apply(self._init)\n        for n, p in self.named_parameters():\n            "
            "if n.endswith('down.weight'):\n                nn.init.normal_(p, std=0.02 / 2)",
        ),
        ("nn.init.normal_(m.weight, std=0.03)", "pass"),
    )
    made = specimen(tmp_path, text)
    found = PROBE.measure(made)
    assert isinstance(found, InitialLoss)
    assert found.loud is not None
    assert found.loud.line == line_of(made, "std=2.0")


def test_a_table_that_is_filled_as_the_head_is_not_as_torch_made_it(tmp_path: Path) -> None:
    """With the numbers that torch would have given it, and by a line of the user's."""
    text = changed(
        ("nn.init.normal_(m.weight, std=0.02)", "nn.init.normal_(m.weight, std=1.0)"),
        (
            "self.apply(self._init)",
            "self.head.weight = self.emb.weight\n        self.apply(self._init)",
        ),
    )
    made = specimen(tmp_path, text)
    found = PROBE.measure(made)
    assert isinstance(found, InitialLoss)
    assert found.loud is not None
    assert (found.loud.tied, found.loud.as_torch_makes_it) == (True, False)
    assert found.loud.line == line_of(made, "std=1.0")
