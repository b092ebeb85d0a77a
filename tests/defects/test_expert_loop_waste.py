"""GD205, expert-loop-waste: what the text shows, and where it cannot be sure."""

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
        weights, chosen = self.router(x).softmax(-1).topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            share = (weights * (chosen == number)).sum(-1, keepdim=True)
            out = out + share * expert(x)  # here
        return out
"""
LOOP = MIXTURE[MIXTURE.index("        weights, ") :]
PICKED = """\
        weights, chosen = self.router(x).softmax(-1).topk(self.k, dim=-1)
        every = torch.stack([expert(x) for expert in self.experts], dim=-2)  # here
        index = chosen[..., None].expand(*chosen.shape, x.size(-1))
        return (weights[..., None] * every.gather(-2, index)).sum(-2)
"""
LISTED = """\
        weights, chosen = self.router(x).softmax(-1).topk(self.k, dim=-1)
        every = []
        for expert in self.experts:
            every.append(expert(x))  # here
        rows = torch.arange(len(x))[:, None]
        return (weights[..., None] * torch.stack(every, 1)[rows, chosen]).sum(1)
"""
UNREAD = """\
        scores = self.router(x).softmax(-1)
        best, index = scores.topk(self.k, dim=-1)  # here
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            out = out + scores[..., number, None] * expert(x)
        return out
"""
# What takes the place of a part of it; the line is wasteful as before.
WASTEFUL = {
    "counted": ("enumerate(self.experts)", "zip(range(4), self.experts)"),
    "factors exchanged": ("share * expert(x)", "expert(x).to(x.dtype).mul(share)"),
    "masked": ("share * expert(x)", "expert(x).masked_fill(~(share > 0), 0.0) * weights[..., :1]"),
}
SILENT = {
    "rows": ("share * expert(x)", "share * expert(x * share)"),
    "the expert is told who chose it": ("expert(x)", "expert(x, share)"),
    "skipped": (
        "            share",
        "            if number not in chosen:\n                continue\n            share",
    ),
    "soft": ("(weights * (chosen == number))", "weights"),
    "added to a share": ("share * expert(x)", "(share + x[..., :1]) * expert(x)"),
    "all of them": ("topk(self.k,", "topk(4,"),
    "none are left out": ("topk(self.k,", "topk(len(self.experts),"),
    "experts that read": ("nn.ModuleList(nn.Linear(dim, dim)", "nn.ModuleList(nn.GRU(dim, dim)"),
    "experts from outside": ("nn.ModuleList(nn.Linear(dim, dim) for _ in range(4))", "given"),
    "one after the other": ("share * expert(x)", "0\n            x = x + share * expert(x)"),
    "each expert's best tokens": ("topk(self.k, dim=-1)", "topk(self.k, dim=0)"),
    "heard of elsewhere": (
        "out = out + share * expert(x)",
        "y = expert(x)\n            self.apart = y.var()\n            out = out + share * y",
    ),
}


@pytest.mark.parametrize("change", WASTEFUL.values(), ids=list(WASTEFUL))
def test_all_rows_for_the_sake_of_a_few_are_seen(change: tuple[str, str]) -> None:
    """However the result is multiplied with zero or cut away."""
    text = MIXTURE.replace(*change)
    assert lines_of("GD205", text) == marked(text)


@pytest.mark.parametrize("change", SILENT.values(), ids=list(SILENT))
def test_loops_that_need_all_rows_or_give_fewer_are_silent(change: tuple[str, str]) -> None:
    """And those of which the text does not tell."""
    text = MIXTURE.replace(*change)
    assert text != MIXTURE
    assert lines_of("GD205", text) == []


def test_an_experts_class_is_looked_into() -> None:
    """One with a convolution reads other rows than its own."""
    reader = MIXTURE.replace("nn.Linear(dim, dim) for", "Expert(dim) for")
    own = "class Expert(nn.Module):\n    def __init__(self, dim):\n        super().__init__()\n"
    plain = f"{own}        self.up = nn.Linear(dim, dim)\n"
    mixing = f"{own}        self.up = nn.Conv1d(dim, dim, 3)\n"
    assert lines_of("GD205", reader + plain) == marked(reader)
    assert lines_of("GD205", reader + mixing) == []


@pytest.mark.parametrize("end", [PICKED, LISTED, UNREAD], ids=["gathered", "indexed", "unread"])
def test_results_of_all_of_which_few_are_picked_are_seen(end: str) -> None:
    """In a stack of what all gave; and where nothing reads who was chosen."""
    text = MIXTURE.replace(LOOP, end)
    assert lines_of("GD205", text) == marked(text)


@pytest.mark.parametrize(
    ("end", "change"),
    [
        (PICKED, ("every.gather(-2, index)", "every[..., :2, :] + every.mean(-2, keepdim=True)")),
        (PICKED, ("return (", "return every.mean(-2) + (")),
        (LISTED, ("rows, chosen", "rows, rows % 4")),
        (UNREAD, ("return out", "return out, index")),
        (UNREAD, ("best, index", "_, _")),
    ],
    ids=["all", "all as well", "not by the router", "told to the caller", "meant not to be read"],
)
def test_results_that_all_count_are_no_waste(end: str, change: tuple[str, str]) -> None:
    """Whoever is picked besides."""
    assert lines_of("GD205", MIXTURE.replace(LOOP, end).replace(*change)) == []


GATES = """\
    def gates(self, x):
        scores = self.router(x)
        best, chosen = scores.topk(self.k, dim=-1)
        hidden = torch.full_like(scores, float("-inf")).scatter(-1, chosen, best)
        return hidden.softmax(-1){more}

    def forward(self, x):
        shares{rest} = self.gates(x)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            out = out + shares[..., number : number + 1] * expert(x)  # here
        return out
"""
SUMMED = """\
        pairs = enumerate(self.experts)
        return sum(shares[..., e, None] * expert(x) for e, expert in pairs)  # here
"""


def gated(gates: str) -> str:
    """The mixture with a method that makes its shares."""
    return MIXTURE[: MIXTURE.index("    def forward")] + gates


def test_shares_that_a_helper_makes_are_followed() -> None:
    """As one result or one of two; a column may be a slice."""
    for text in (
        gated(GATES.format(more="", rest="")),
        gated(GATES.format(more=", 0", rest=", _")),
    ):
        assert lines_of("GD205", text) == marked(text)
    text = gated(GATES.format(more="", rest=""))
    summed = text[: text.index("        out = torch")] + SUMMED
    assert lines_of("GD205", summed) == marked(summed)
    soft = text.replace("return hidden.softmax(-1)", "return scores.softmax(-1)")
    through = text.replace("hidden.softmax(-1)", "hidden.softmax(-1) + scores - scores.detach()")
    wide = text.replace("number + 1]", "number + 2]")
    for other in (soft, through, wide):
        assert other != text
        assert lines_of("GD205", other) == []
