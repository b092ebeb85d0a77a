"""GD203, routing-weights-ignored: what the text shows."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

HANDED = """\
import torch
from torch import nn


class Experts(nn.Module):
    def __init__(self, count, dim):
        super().__init__()
        self.count = count
        self.up = nn.Parameter(torch.randn(count, dim, dim) * 0.1)

    def forward(self, x, top_k_index, top_k_weights):
        out = torch.zeros_like(x)
        mask = nn.functional.one_hot(top_k_index, num_classes=self.count).permute(2, 1, 0)
        for expert in range(self.count):
            slot, token = torch.where(mask[expert])
            answer = nn.functional.linear(x[token], self.up[expert])
            out.index_add_(0, token, answer.to(out.dtype))  # here
        return out


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.router = nn.Linear(dim, 4)
        self.experts = Experts(4, dim)

    def forward(self, x):
        weights, chosen = self.router(x).softmax(-1).topk(2, dim=-1)
        return self.experts(x, chosen, weights)
"""
APPLIED = {
    "inside": ("answer.to(out.dtype)", "answer * top_k_weights[token, slot, None]"),
    "by the caller": (
        "return self.experts(x, chosen, weights)",
        "y = self.experts(x, chosen, weights)\n        return y * weights.sum(-1, keepdim=True)",
    ),
    "no choice": ("top_k_index", "numbers"),
    "meant not to be read": ("top_k_weights", "_weights"),
}
MIXTURE = """\
import torch
from torch import nn


class Mixture(nn.Module):
    def __init__(self, dim, k=2):
        super().__init__()
        self.k = k
        self.router = nn.Linear(dim, 4)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x):
        scores = self.router(x).softmax(-1)
        best, chosen = scores.topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            rows, slot = torch.where(chosen == number)
            out.index_add_(0, rows, expert(x[rows]))  # here
        return out
"""
NOT_MEANT = {
    "one expert by default": ("k=2", "k=1"),
    "one expert": ("topk(self.k", "topk(1"),
    "applied": ("expert(x[rows])", "best[rows, slot, None] * expert(x[rows])"),
    "weighted by another name": ("expert(x[rows])", "self.share(rows) * expert(x[rows])"),
    "the scores go on": ("return out", "return out * scores.max(-1, keepdim=True).values"),
    "taken once more": ("out = torch", "best_ones = x.gather(1, chosen)\n        out = torch"),
    "not given a name": ("best, chosen", "_, chosen"),
    "the indices alone": (
        "best, chosen = scores.topk(self.k, dim=-1)",
        "chosen = scores.topk(self.k, dim=-1).indices",
    ),
}


@pytest.mark.parametrize("text", [HANDED, MIXTURE], ids=["handed", "chosen"])
def test_weights_that_nobody_reads_are_seen(text: str) -> None:
    """Where the results of the experts are added up without them."""
    assert lines_of("GD203", text) == marked(text)


@pytest.mark.parametrize(("part", "other"), APPLIED.values(), ids=APPLIED)
def test_weights_that_are_handed_on_and_used(part: str, other: str) -> None:
    """Inside, or by whoever handed them on."""
    assert lines_of("GD203", HANDED.replace(part, other)) == []


@pytest.mark.parametrize(("part", "other"), NOT_MEANT.values(), ids=NOT_MEANT)
def test_choices_that_need_no_weights(part: str, other: str) -> None:
    """One expert, an average by design, and weights that come from somewhere else."""
    assert lines_of("GD203", MIXTURE.replace(part, other)) == []


DIVIDED = MIXTURE.replace(
    "        out = torch", "        best = best / best.sum(-1, keepdim=True)\n        out = torch"
)
GREATEST = MIXTURE.replace("scores.topk(self.k, dim=-1)", "scores.max(dim=-1)").replace(
    """\
            rows, slot = torch.where(chosen == number)
            out.index_add_(0, rows, expert(x[rows]))  # here
""",
    """\
            rows = chosen == number
            out[rows] = expert(x[rows])  # here
""",
)
GREATEST_APPLIED = {
    "afterwards": ("return out", "return out * best[..., None]"),
    "taken once more": ("return out", "return out * scores.gather(-1, chosen[..., None])"),
    "not given a name": ("best, chosen", "_, chosen"),
    "handed on": ("return out", "return out, best"),
}


def test_weights_that_are_only_divided_by_their_sum() -> None:
    """Whoever makes nothing else of them does not apply them."""
    assert lines_of("GD203", DIVIDED) == marked(DIVIDED)
    assert lines_of("GD203", DIVIDED.replace("return out", "return out, best")) == []


def test_the_weight_of_one_expert_that_is_asked_for_by_name() -> None:
    """It is all by which the router could learn."""
    assert lines_of("GD203", GREATEST) == marked(GREATEST)


@pytest.mark.parametrize(("part", "other"), GREATEST_APPLIED.values(), ids=GREATEST_APPLIED)
def test_the_weight_of_one_expert_that_is_applied(part: str, other: str) -> None:
    """Or never asked for."""
    text = GREATEST.replace(part, other)
    assert text != GREATEST
    assert lines_of("GD203", text) == []
