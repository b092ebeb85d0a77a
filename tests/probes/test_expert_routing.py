"""Experts whose results are lost, and those whose results are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.measurements.expert_routing import ExpertList, ExpertRouting
from gptdoctor.probes.expert_routing import PROBE
from tests.probes.mixtures import HEAD, HEALTHY, SICK
from tests.specimen.making import build, line_of, specimen


def experts(folder: Path, text: str) -> tuple[ExpertList, ...]:
    """The lists of experts of a model that mixes as `text` does."""
    found = PROBE.measure(specimen(folder, HEAD + text))
    assert isinstance(found, ExpertRouting)
    return found.lists


@pytest.mark.parametrize("form", SICK)
def test_results_that_are_written_over_are_counted_at_their_line(tmp_path: Path, form: str) -> None:
    """21 tokens go to two experts each, and half of what those computed is lost."""
    operation, text = SICK[form]
    made = specimen(tmp_path, HEAD + text)
    measured = PROBE.measure(made)
    assert isinstance(measured, ExpertRouting)
    (found,) = measured.lists
    assert (found.name, found.experts) == ("experts", 5)
    assert [(each.line, each.operation) for each in found.overwrites] == [
        (line_of(made, "# here"), operation)
    ]
    assert found.overwrites[0].rows == 21
    assert found.overwrites[0].symbol == found.symbol == "Model.mixed"
    assert found.rows_lost == 21


@pytest.mark.parametrize("form", HEALTHY)
def test_results_that_reach_the_output_are_not_lost(tmp_path: Path, form: str) -> None:
    """Added up, read in between, disjoint, recurrent, or weighted by zero on purpose."""
    (found,) = experts(tmp_path, HEALTHY[form])
    assert found.name == "experts"
    assert found.overwrites == ()
    assert found.rows_lost == 0
    assert found.rows_run >= 5


def test_results_that_a_name_loses_are_lost_rows_without_an_overwrite(tmp_path: Path) -> None:
    """`y = ...` in a loop keeps the last expert: no tensor is written over."""
    text = "\n        for f in self.experts:\n            y = f(x)\n        return y\n"
    (found,) = experts(tmp_path, text)
    assert (found.rows_run, found.rows_lost, found.overwrites) == (105, 84, ())


def test_layers_are_no_experts(tmp_path: Path) -> None:
    """They are called in a row, each on what derives from the one before."""
    assert experts(tmp_path, "\n        return x\n") == ()


def test_experts_that_serve_another_output_are_left_out(tmp_path: Path) -> None:
    """As the heads of other positions are: nothing of theirs could reach these logits."""
    text = "\n        self.aside = [f(x) for f in self.experts]\n        return x\n"
    assert experts(tmp_path, text) == ()


def test_a_router_that_starts_at_zero_is_moved(tmp_path: Path) -> None:
    """Ties send every token to the same two experts, which is enough to see the loss."""
    text = SICK["mask-in-a-loop-over-choices"][1]
    head = HEAD.replace(
        "self.experts =", "nn.init.zeros_(self.router.weight)\n        self.experts ="
    )
    found = PROBE.measure(specimen(tmp_path, head + text))
    assert isinstance(found, ExpertRouting)
    assert found.lists[0].overwrites[0].rows == 21


def test_experts_in_a_dictionary_count_as_well(tmp_path: Path) -> None:
    """Under their keys."""
    head = HEAD.replace(
        "nn.ModuleList(nn.Linear(dim, dim) for _ in range(n_experts))",
        "nn.ModuleDict({f'e{n}': nn.Linear(dim, dim) for n in range(n_experts)})",
    )
    text = SICK["mask-in-a-loop-over-choices"][1].replace("self.experts)", "self.experts.values())")
    found = PROBE.measure(specimen(tmp_path, head + text))
    assert isinstance(found, ExpertRouting)
    assert found.lists[0].overwrites[0].rows == 21


def test_a_second_layer_of_experts_is_not_blamed_for_the_first(tmp_path: Path) -> None:
    """A result that is complete may be written over: a draft, a cache, a buffer."""
    text = """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1)
            y[mask] += expert(x[mask])
        return y


class Outer(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.draft, self.final = Model(vocab_size, dim, 5), Model(vocab_size, dim, 5)

    def forward(self, idx):
        shown = torch.zeros(*idx.shape, self.final.out.out_features)
        shown[:] = self.draft(idx)
        shown[:] = self.final(idx)
        return shown
"""
    _, made = build(tmp_path, HEAD + text, name="Outer")
    assert made is not None
    measured = PROBE.measure(made)
    assert isinstance(measured, ExpertRouting)
    assert [(each.name, each.overwrites) for each in measured.lists] == [("final.experts", ())]
