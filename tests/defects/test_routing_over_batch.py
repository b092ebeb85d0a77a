"""GD207, routing-over-batch: what the text shows, and where it cannot be sure."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

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
        B, T, C = x.shape
        shares = self.router(x).float().softmax(dim=1)  # here
        weights, chosen = shares.topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            rows = (chosen == number).any(-1)
            out[rows] += (weights * (chosen == number)).sum(-1)[rows, None] * expert(x[rows])
        return out
"""
WRONG = {
    "the batch": ("dim=1)", "dim=0)"),
    "from the end": ("dim=1)", "dim=-2)"),
    "noise": ("self.router(x).float()", "(self.router(x) + torch.randn(4))"),
    "by torch's choice": (
        "self.router(x).float().softmax(dim=1)",
        "nn.functional.softmax(self.router(x))",
    ),
    "a function of torch": (
        "self.router(x).float().softmax(dim=1)",
        "torch.softmax(self.router(x), 1)",
    ),
}
SILENT = {
    "experts": ("dim=1)", "dim=2)"),
    "experts, from the end": ("dim=1)", "dim=-1)"),
    "rank unknown": ("        B, T, C = x.shape\n", ""),
    "rows": ("self.router(x)", "self.router(x.view(-1, C))"),
    "a form that is not followed": ("self.router(x)", "self.router(x.flatten(0, 1))"),
    "experts choose": ("dim=-1)", "dim=1)"),
    "both ways": ("shares.topk", "shares.softmax(-1).topk"),
    "averages": ("out = torch.zeros_like(x)", "out = torch.einsum('bte,btd->bed', shares, x)"),
    "another layer": ("self.router = nn.Linear(dim, 4)", "self.router = Slots(dim, 4)"),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=list(WRONG))
def test_a_softmax_over_tokens_is_seen(change: tuple[str, str]) -> None:
    """Whatever dimension of the tokens it is, where the experts are chosen from the last."""
    text = MIXTURE.replace(*change)
    assert text != MIXTURE
    assert lines_of("GD207", text) == marked(text)


@pytest.mark.parametrize("change", SILENT.values(), ids=list(SILENT))
def test_sums_over_tokens_that_are_meant_are_silent(change: tuple[str, str]) -> None:
    """And scores whose dimensions are not known."""
    text = MIXTURE.replace(*change)
    assert text != MIXTURE
    assert lines_of("GD207", text) == []


APART = """\
import torch
from torch import nn


class Router(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.linear = nn.Linear(dim, 4)
        self.normalise = nn.Softmax(dim=1)

    def forward(self, x):
        return self.normalise(self.linear(x)).max(dim=-1)  # here


class Mixture(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.router = Router(dim)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x):
        B, T, C = x.shape
        weight, chosen = self.router(x)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            out[chosen == number] = expert(x[chosen == number])
        return out * weight[..., None]
"""
AGREED = {
    "the last": ("nn.Softmax(dim=1)", "nn.Softmax(dim=-1)"),
    "rows": ("self.router(x)", "self.router(x.view(-1, C))"),
    "rank unknown": ("        B, T, C = x.shape\n", ""),
    "the greatest of all": (".max(dim=-1)", ".max()"),
    "no router": ("Router", "Reader"),
}


def test_a_router_that_is_a_class_of_its_own() -> None:
    """Its callers tell how many dimensions it is given."""
    assert lines_of("GD207", APART) == marked(APART)


@pytest.mark.parametrize("change", AGREED.values(), ids=AGREED)
def test_a_router_of_its_own_that_is_right(change: tuple[str, str]) -> None:
    """Or of which the text does not tell."""
    text = APART.replace(*change)
    assert text != APART
    assert lines_of("GD207", text) == []
