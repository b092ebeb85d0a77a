"""Routers and experts: what the rules about them read in the measurement."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from gptdoctor.catalog import all_defects
from gptdoctor.core.findings import Status
from gptdoctor.core.measurements.routed_experts import RoutedBlock, RoutedExperts
from gptdoctor.probes.instruments.repeated_writes import repeated
from gptdoctor.probes.instruments.router_pairs import compared
from gptdoctor.probes.routed_experts import PROBE
from gptdoctor.specimen.specimen import Specimen
from tests.defects.records import NO_RECORD
from tests.probes.routers import HEAD, HEALTHY, SICK
from tests.specimen.making import line_of, specimen

RULES = [one for one in all_defects() if PROBE.name in one.convicts]


def made(folder: Path, body: str, seed: int = 0) -> Specimen:
    """A model whose mixture has `body` for its forward."""
    return dataclasses.replace(specimen(folder, HEAD.replace("BODY", body.strip("\n"))), seed=seed)


def blocks(of: Specimen) -> tuple[RoutedBlock, ...]:
    """The blocks that the probe measures."""
    found = PROBE.measure(of)
    assert isinstance(found, RoutedExperts)
    return found.blocks


def findings(of: Specimen) -> list[tuple[str, int | None]]:
    """Rule and line of all that is confirmed; symptoms only where there is no root."""
    measured = PROBE.measure(of)
    found = [
        conviction
        for rule in RULES
        for conviction in rule.convicts[PROBE.name](measured, NO_RECORD)
        if conviction.status is Status.CONFIRMED
    ]
    roots = [each for each in found if not each.symptom] or found
    return [(each.rule, each.place.line if each.place else None) for each in roots]


@pytest.mark.parametrize("form", SICK)
def test_what_is_wrong_is_confirmed_at_its_line(tmp_path: Path, form: str) -> None:
    """One rule for each, at the line that is to blame."""
    rule, body = SICK[form]
    of = made(tmp_path, body)
    found = findings(of)
    if form == "one-hot":  # all experts run for one of them, besides
        found = [each for each in found if each[0] != "GD205"]
    assert found == [(rule, line_of(of, "# here"))]


@pytest.mark.parametrize("form", HEALTHY)
def test_what_is_right_is_left_alone(tmp_path: Path, form: str) -> None:
    """Soft, hard, dropped, balanced, noisy or chosen by the experts, on two seeds."""
    of = made(tmp_path, HEALTHY[form])
    assert findings(of) == []
    assert findings(dataclasses.replace(of, seed=1)) == []


def test_the_numbers_of_a_healthy_block(tmp_path: Path) -> None:
    """21 tokens go to two of five experts each."""
    (block,) = blocks(made(tmp_path, HEALTHY["loop"]))
    assert (block.experts, block.chosen, block.tokens, block.operation) == (5, 2, 21, "topk")
    assert (block.rows_run, block.rows_needed, block.all_run_all) == (42, 42, False)
    assert block.pairs is not None
    assert (block.pairs.chosen, block.pairs.moved, block.pairs.wrong) == (42, 42, 0)
    assert block.weight_effect is not None
    assert block.weight_effect > 0.01
    assert block.router_learns
    assert (block.name, block.experts_name) == ("moe", "moe.experts")


def test_stacked_weights_are_experts_too(tmp_path: Path) -> None:
    """Named by the module that holds them; their rows are not seen."""
    (block,) = blocks(made(tmp_path, HEALTHY["stacked-index"]))
    assert (block.experts_name, block.rows_run) == ("moe", None)
    assert block.pairs is not None
    assert (block.pairs.moved, block.pairs.wrong) == (42, 0)


PASSED_ON = """
        probs = self.router(x).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for e in range(self.E):
            b, t, k = torch.where(idx == e)
            y = x[b, t]
            if e < self.E - 2:
                y = (y @ self.w1[e]).relu() @ self.w2[e]
            out = out.index_put((b, t), y * w[b, t, k, None], accumulate=True)
        return out
"""


def test_experts_without_all_weights_may_pass_on_what_they_get(tmp_path: Path) -> None:
    """Two of five have one factor of a product, and no use for it."""
    text = HEAD.replace("BODY", PASSED_ON.strip("\n"))
    text = text.replace("randn(n_experts, 2 * dim, dim)", "randn(n_experts - 2, 2 * dim, dim)")
    of = specimen(tmp_path, text)
    (block,) = blocks(of)
    assert block.experts == 5
    assert block.pairs is not None
    assert findings(of) == []


def test_many_experts_are_tried_in_part(tmp_path: Path) -> None:
    """64 experts and 42 pairs: those with the most tokens."""
    text = HEAD.replace("BODY", HEALTHY["loop"].strip("\n"))
    text = text.replace("Mixture(dim, n_experts", "Mixture(dim, 64")
    (block,) = blocks(specimen(tmp_path, text))
    assert block.experts == 64
    assert block.pairs is not None
    assert (block.pairs.wrong, block.pairs.skipped) == (0, ())
    assert block.pairs.chosen < 42


def test_sizes_are_changed_where_they_equal_the_number_of_experts(tmp_path: Path) -> None:
    """Seven experts and seven positions could not be told apart."""
    text = HEAD.replace("BODY", HEALTHY["masks"].strip("\n"))
    text = text.replace("Mixture(dim, n_experts", "Mixture(dim, 7")
    (block,) = blocks(specimen(tmp_path, text))
    assert block.tokens != 21
    assert block.pairs is not None
    assert block.pairs.wrong == 0


def test_layers_are_no_experts(tmp_path: Path) -> None:
    """A choice inside of them does not make them experts, nor does one of as many classes."""
    text = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768, n_layers=4):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n_layers))
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        x = self.e(idx)
        for layer in self.layers:
            x = x + layer(x)
            best = x[..., : len(self.layers)].topk(1, dim=-1)
        return self.out(x.cumsum(1))
"""
    assert blocks(specimen(tmp_path, text)) == ()


def test_what_follows_the_experts_may_mix_the_tokens(tmp_path: Path) -> None:
    """Attention after them moves tokens that no expert was chosen for."""
    text = HEAD.replace("BODY", HEALTHY["masks"].strip("\n"))
    text = text.replace("return out\n", "return out.cumsum(1)\n", 1)
    of = specimen(tmp_path, text)
    (block,) = blocks(of)
    assert block.pairs is not None
    assert block.pairs.mixed
    assert findings(of) == []


def test_pairs_are_compared_in_any_order_of_the_rows() -> None:
    """[T, B] for [B, T] is no wrong expert; an exchanged column is."""
    chosen = torch.zeros(6, 3, dtype=torch.bool)
    chosen[torch.arange(6), torch.tensor([0, 1, 1, 2, 0, 0])] = True
    nothing = torch.zeros_like(chosen)
    turned = chosen.view(2, 3, 3).transpose(0, 1).reshape(6, 3)
    assert compared(turned, [chosen], nothing).wrong == 0
    exchanged = compared(chosen[:, [1, 2, 0]], [chosen], nothing)
    assert exchanged.wrong > 0
    assert exchanged.renamed
    alone = compared(chosen & torch.tensor([False, True, True]), [chosen], nothing)
    assert alone.skipped == (0,)
    assert compared(chosen & torch.tensor([False, True, True]), [chosen], chosen).skipped == ()


def test_numbers_that_repeat_are_counted() -> None:
    """Broadcast against each other, as an assignment does."""
    rows, slots = torch.tensor([[0], [1]]), torch.tensor([0, 1, 1])
    assert repeated((rows,)) == 0
    assert repeated((rows, slots)) == 2


def test_a_block_that_was_not_measured_refutes_nothing_about_its_rows(tmp_path: Path) -> None:
    """Not measured is not healthy."""
    (block,) = blocks(made(tmp_path, HEALTHY["loop"]))
    blind = dataclasses.replace(block, pairs=None, weight_effect=None, reason="takes too long")
    refuted = {
        each.rule
        for rule in RULES
        for each in rule.convicts[PROBE.name](RoutedExperts(blocks=(blind,)), NO_RECORD)
    }
    assert not refuted & {"GD202", "GD203", "GD206", "GD207"}


LAYERED = """
def moe(x, wr, w1, w2, k):
    top, idx = torch.einsum('btd,de->bte', x, wr).topk(k, dim=-1)
    gates = top.softmax(-1)
    gates = torch.zeros(*x.shape[:2], wr.shape[1]).scatter(-1, idx, gates)  # here
    h = torch.einsum('btd,edf->btef', x, w1).relu()
    return torch.einsum('btef,efd,bte->btd', h, w2, gates)

class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768, n_experts=8, top_k=2, n_layers=2):
        super().__init__()
        self.k, self.n = top_k, n_layers
        self.e = nn.Embedding(vocab_size, dim)
        self.past = nn.GRU(dim, dim, batch_first=True)
        self.wr = nn.Parameter(torch.randn(n_layers, dim, n_experts) * 0.1)
        self.w1 = nn.Parameter(torch.randn(n_layers, n_experts, dim, 2 * dim) * 0.05)
        self.w2 = nn.Parameter(torch.randn(n_layers, n_experts, 2 * dim, dim) * 0.05)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        x, _ = self.past(self.e(idx))
        for i in range(self.n):
            x = x + moe(x, self.wr[i], self.w1[i], self.w2[i], self.k)
        return self.out(x)
"""
LAYERED_SICK = {
    "first": ("GD206", "scatter(-1, idx, gates)", "scatter(-1, 0 * idx, gates)"),
    "before": ("GD206", "scatter(-1, idx, gates)", "scatter(-1, (idx - 1).clamp(min=0), gates)"),
    "compared": ("GD204", "idx, gates)", "idx, (gates > 0).float())"),
}


def test_experts_of_all_layers_in_one_stack_are_experts_too(tmp_path: Path) -> None:
    """The last layer's, chosen by its own router."""
    of = specimen(tmp_path, LAYERED)
    assert findings(of) == []
    (block,) = blocks(of)
    assert block.reason == ""
    assert block.pairs is not None
    assert (block.pairs.wrong, block.pairs.moved) == (0, block.pairs.chosen)
    assert block.router_parameters == ("wr",)


@pytest.mark.parametrize("form", LAYERED_SICK)
def test_what_is_wrong_in_a_stack_of_all_layers_is_confirmed(tmp_path: Path, form: str) -> None:
    """At the line that changes what was chosen, or what weighs it."""
    rule, right, wrong = LAYERED_SICK[form]
    of = specimen(tmp_path, LAYERED.replace(right, wrong))
    assert findings(of) == [(rule, line_of(of, "# here"))]
