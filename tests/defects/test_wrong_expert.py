"""GD206, wrong-expert: what the text shows, and where it cannot be sure."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

MIXTURE = """\
import torch
from torch import nn


class Mixture(nn.Module):
    def __init__(self, dim, count=4, k=2):
        super().__init__()
        self.k, self.count = k, count
        self.router = nn.Linear(dim, count)
        self.scale = nn.Parameter(torch.ones(count, dim))
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(count))

    def forward(self, x):
        weights, chosen = self.router(x).softmax(-1).topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for number in range(len(self.experts)):
            rows = (chosen == number).any(-1)
            share = (weights * (chosen == number)).sum(-1)
            out[rows] += share[rows, None] * self.experts[number - 1](x[rows])  # here
        return out
"""
PICKED = "self.experts[number - 1](x[rows])"
WRONG = {
    "as written": (PICKED, PICKED),
    "the next": (PICKED, "self.experts[(number + 1) % 4](x[rows])"),
    "the same for all": (PICKED, "self.experts[0](x[rows])"),
    "counted": ("number in range(len(self.experts))", "number, _ in enumerate(self.experts)"),
}
SILENT = {
    "its own": (PICKED, "self.experts[number](x[rows])"),
    "its own, by a number of none": (PICKED, "self.experts[number + 0](x[rows])"),
    "more in the list than numbers": ("range(len(self.experts))", "range(self.count - 1)"),
    "numbers from one on": ("range(len(self.experts))", "range(1, 5)"),
    "a part that all have": (PICKED, "self.scale[number] * self.experts[0](x[rows])"),
    "all rows": (PICKED, "self.experts[0](x)[rows]"),
    "other rows": ("(chosen == number).any(-1)", "x.abs().sum(-1) > number"),
    "where there is no room": (
        "            out[rows]",
        "            if rows.sum() > 8:\n                out[rows]",
    ),
    "a table in between": (PICKED, "self.experts[self.order[number]](x[rows])"),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=list(WRONG))
def test_rows_that_go_to_another_expert_are_seen(change: tuple[str, str]) -> None:
    """Whether it is the neighbour or the same for all."""
    text = MIXTURE.replace(*change)
    assert lines_of("GD206", text) == marked(text)


@pytest.mark.parametrize("change", SILENT.values(), ids=list(SILENT))
def test_rows_that_may_be_meant_for_it_are_silent(change: tuple[str, str]) -> None:
    """A shared expert, a list with more of them, and what the text does not tell."""
    text = MIXTURE.replace(*change)
    assert text != MIXTURE
    assert lines_of("GD206", text) == []


COUNTED = """\
import torch
from torch import nn


class Mixture(nn.Module):
    def __init__(self, dim, count=4, k=2):
        super().__init__()
        self.k, self.count = k, count
        self.router = nn.Linear(dim, count)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(count))

    def forward(self, x):
        weights, chosen = self.router(x).softmax(-1).topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for place, number in enumerate(chosen.unique()):
            rows, slot = torch.where(chosen == number)
            share = weights[rows, slot, None]
            out.index_add_(0, rows, share * self.experts[place](x[rows]))  # here
        return out
"""
COUNTS = {
    "by a function": ("chosen.unique()", "torch.unique(chosen).tolist()"),
    "sorted": ("chosen.unique()", "sorted(set(chosen.tolist()))"),
    "flat": ("chosen.unique()", "chosen.unique().tolist()"),
}
NUMBERS = {
    "their own": ("self.experts[place]", "self.experts[number]"),
    "all of them": ("chosen.unique()", "range(self.count)"),
    "of something else": ("chosen.unique()", "x.unique()"),
}


@pytest.mark.parametrize("change", COUNTS.values(), ids=COUNTS)
def test_experts_that_are_called_by_the_count_of_those_that_were_chosen(
    change: tuple[str, str],
) -> None:
    """Where one was not chosen, all after it are other experts."""
    for text in (COUNTED, COUNTED.replace(*change)):
        assert lines_of("GD206", text) == marked(text)


@pytest.mark.parametrize("change", NUMBERS.values(), ids=NUMBERS)
def test_experts_that_are_called_by_their_numbers(change: tuple[str, str]) -> None:
    """Or loops over other things."""
    text = COUNTED.replace(*change)
    assert text != COUNTED
    assert lines_of("GD206", text) == []


SPLIT = """\
import torch
from torch import nn


class Mixture(nn.Module):
    def __init__(self, dim, count=4):
        super().__init__()
        self.count = count
        self.router = nn.Linear(dim, count)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(count))

    def forward(self, x):
        rows = x.flatten(0, 1)
        weight, chosen = self.router(rows).softmax(-1).max(-1)
        counts = torch.bincount(chosen, minlength=self.count)
        parts = torch.split(rows, counts.tolist())  # here
        answers = [expert(part) for expert, part in zip(self.experts, parts)]
        return torch.cat(answers) * weight[:, None]
"""
ORDERED = {
    "sorted": ("torch.split(rows,", "torch.split(rows[chosen.argsort()],"),
    "sorted before": ("rows = x", "order = self.sort_by(x)\n        rows = x"),
    "of something else": ("bincount(chosen", "bincount(self.lengths"),
    "in equal parts": ("counts.tolist()", "self.count"),
    "taken in order": ("rows = x.flatten(0, 1)", "rows = x[self.order]"),
}


def test_tokens_that_are_split_unsorted() -> None:
    """The first expert gets the first tokens, whatever they chose."""
    assert lines_of("GD206", SPLIT) == marked(SPLIT)
    method = SPLIT.replace(
        "torch.split(rows, counts.tolist())", "rows.split(counts.tolist(), dim=0)"
    )
    assert lines_of("GD206", method) == marked(method)


@pytest.mark.parametrize("change", ORDERED.values(), ids=ORDERED)
def test_tokens_that_are_split_in_order(change: tuple[str, str]) -> None:
    """Or by something else than the choice."""
    text = SPLIT.replace(*change)
    assert text != SPLIT
    assert lines_of("GD206", text) == []


SLOTS = """\
import torch
from torch import nn


class Mixture(nn.Module):
    def __init__(self, dim, count=4, k=2):
        super().__init__()
        self.k = k
        self.router = nn.Linear(dim, count)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(count))

    def forward(self, x):
        weights, chosen = self.router(x).softmax(-1).topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for slot in range(self.k):
            out = out + weights[..., slot, None] * self.experts[slot](x)  # here
        return out
"""
BY_SLOT = {
    "as written": ("weights", "weights"),
    "under one name": (
        "weights, chosen = self.router(x).softmax(-1).topk(self.k, dim=-1)",
        "best = self.router(x).topk(self.k)\n        weights = best.values.softmax(-1)",
    ),
    "a function of torch": (
        "self.router(x).softmax(-1).topk(self.k, dim=-1)",
        "torch.topk(self.router(x), self.k)",
    ),
}
BY_CHOICE = {
    "the choice is read": ("return out", "self.load = chosen\n        return out"),
    "under one name, with its indices": (
        "weights, chosen = self.router(x).softmax(-1).topk(self.k, dim=-1)",
        "best = self.router(x).topk(self.k)\n        weights, i = best.values, best.indices",
    ),
    "other experts than chosen": ("range(self.k)", "range(4)"),
    "no shares of the chosen": ("weights[..., slot, None] * ", ""),
    "the experts' own": ("self.experts[slot](x)", "self.experts[chosen[0, slot]](x)"),
}


@pytest.mark.parametrize("change", BY_SLOT.values(), ids=BY_SLOT)
def test_places_among_the_chosen_that_pick_experts(change: tuple[str, str]) -> None:
    """The first k experts work for all, and nothing reads which were chosen."""
    text = SLOTS.replace(*change)
    assert lines_of("GD206", text) == marked(text)


@pytest.mark.parametrize("change", BY_CHOICE.values(), ids=BY_CHOICE)
def test_places_among_the_chosen_that_may_pick_layers(change: tuple[str, str]) -> None:
    """Where the choice is read, or the layers are no experts of it, nothing is told."""
    assert lines_of("GD206", SLOTS.replace(*change)) == []
