"""GD201, expert-output-overwritten: which assignments are reported, and what measurements say."""

from __future__ import annotations

import pytest

from gptdoctor.core.findings import Status
from gptdoctor.core.measurements.expert_routing import ExpertList, ExpertRouting, Overwrite
from gptdoctor.defects.routing.expert_output_overwritten import read_routing
from tests.defects.records import NO_RECORD
from tests.defects.scanning import lines_of, scan_suspicions

HEAD = """\
import itertools
import torch
import torch.nn.functional as F
from torch import nn


class Router(nn.Module):
    def __init__(self, dim, n):
        super().__init__()
        self.score = nn.Linear(dim, n)

    def forward(self, x):
        w, i = self.score(x).topk(2)
        return w, i

    def best(self, x):
        return self.score(x).max(-1)


class Mixture(nn.Module):
    def __init__(self, dim, n, k):
        super().__init__()
        self.k = k
        self.router = Router(dim, n)
        self.experts = nn.ModuleList([nn.Linear(dim, dim) for _ in range(n)])
        self.named = nn.ModuleDict({"a": nn.Linear(dim, dim), "b": nn.Linear(dim, dim)})
        self.up = nn.Parameter(torch.zeros(n, dim, dim))

    def forward(self, x):
        w, idx = self.router(x)
        out = torch.zeros_like(x)
"""

REPORTED = {
    "a mask for each slot": """
        for k in range(self.k):
            for e, expert in enumerate(self.experts):
                mask = idx[..., k] == e
                out[mask] = expert(x[mask])  # here
    """,
    "the mask written in place": """
        for k in range(self.k):
            for e in range(len(self.experts)):
                out[idx[..., k] == e] = self.experts[e](x[idx[..., k] == e])  # here
    """,
    "the result goes through names": """
        for k in range(2):
            chosen = idx.select(-1, k)
            for e, expert in enumerate(self.experts):
                mask = chosen.eq(e)
                part = expert(x[mask])
                part = part * w[..., k][mask].unsqueeze(-1)
                out[mask] = part.to(out.dtype)  # here
    """,
    "slots taken apart": """
        for chosen, share in zip(idx.unbind(-1), w.unbind(-1)):
            for e, expert in enumerate(self.experts):
                m = (chosen == e) & (share > 0)
                out[m] = expert(x[m])  # here
    """,
    "slots inside, experts outside": """
        for e, expert in enumerate(self.experts):
            for k in range(self.k):
                m = idx[..., k] == e
                out[m] = expert(x[m]) * w[..., k][m][:, None]  # here
    """,
    "any slot at once": """
        for e, expert in enumerate(self.experts):
            m = (idx == e).any(dim=-1)
            out[m] = expert(x[m])  # here
    """,
    "the sum of a table": """
        table = F.one_hot(idx, len(self.experts)).sum(-2)
        for e, expert in enumerate(self.experts):
            m = table[..., e].bool()
            out[m] = expert(x[m])  # here
    """,
    "rows without their slots": """
        for e, expert in enumerate(self.experts):
            rows, slots = torch.where(idx == e)
            out[rows] = expert(x[rows]) * w[rows, slots, None]  # here
    """,
    "rows from a table of experts": """
        table = F.one_hot(idx, len(self.experts)).permute(2, 1, 0)
        for e in range(len(self.experts)):
            slot, rows = torch.where(table[e])
            out[rows] = self.experts[e](x[rows])  # here
    """,
    "weights kept in a matrix": """
        gates = torch.zeros(x.size(0), 4).scatter(1, idx, w)
        for e, expert in enumerate(self.experts):
            m = gates[:, e] > 0
            out[m] = gates[m, e, None] * expert(x[m])  # here
    """,
    "experts as one parameter": """
        for e in range(4):
            rows, slots = (idx == e).nonzero(as_tuple=True)
            out[rows] = F.linear(x[rows], self.up[e])  # here
    """,
    "experts in a dict": """
        for e, (name, expert) in enumerate(self.named.items()):
            m = (idx == e).any(-1)
            out[m] = expert(x[m])  # here
    """,
    "index_put_": """
        for e, expert in enumerate(self.experts):
            rows, slots = torch.where(idx == e)
            out.index_put_((rows,), expert(x[rows]), accumulate=False)
    """.replace(", accumulate=False)", ")  # here"),
    "index_copy": """
        for e, expert in enumerate(self.experts):
            rows, slots = torch.where(idx == e)
            out = out.index_copy(0, rows, expert(x[rows]))  # here
    """,
    "torch.index_copy": """
        for e, expert in enumerate(self.experts):
            rows, slots = torch.where(idx == e)
            out = torch.index_copy(out, 0, rows, expert(x[rows]))  # here
    """,
    "torch.where": """
        for k in range(self.k):
            for e, expert in enumerate(self.experts):
                m = (idx[..., k] == e).unsqueeze(-1)
                out = torch.where(m, expert(x), out)  # here
    """,
    "where as a method": """
        for k in range(self.k):
            for e, expert in enumerate(self.experts):
                m = (idx[..., k] == e).unsqueeze(-1)
                out = out.where(~m, expert(x))  # here
    """,
    "two loops in one": """
        for k, e in itertools.product(range(self.k), range(len(self.experts))):
            m = idx[..., k] == e
            out[m] = self.experts[e](x[m])  # here
    """,
    "token by token": """
        for b in range(x.size(0)):
            for k in range(self.k):
                e = int(idx[b, k])
                out[b] = self.experts[e](x[b])  # here
    """,
    "a sum that starts anew": """
        for e, expert in enumerate(self.experts):
            out = w[..., e : e + 1] * expert(x)  # here
    """,
}

LEFT_ALONE = {
    "added in place": """
        for k in range(self.k):
            for e, expert in enumerate(self.experts):
                m = idx[..., k] == e
                out[m] += expert(x[m])
    """,
    "index_add_": """
        for e, expert in enumerate(self.experts):
            rows, slots = torch.where(idx == e)
            out.index_add_(0, rows, expert(x[rows]) * w[rows, slots, None])
    """,
    "accumulate by position": """
        for e, expert in enumerate(self.experts):
            rows, slots = torch.where(idx == e)
            out.index_put_((rows,), expert(x[rows]), True)
    """,
    "scatter with reduce": """
        for e, expert in enumerate(self.experts):
            rows, slots = torch.where(idx == e)
            y = expert(x[rows])
            out.scatter_(0, rows[:, None].expand_as(y), y, reduce="add")
    """,
    "a fresh buffer for each slot": """
        total = 0
        for k in range(self.k):
            out = torch.zeros_like(x)
            for e, expert in enumerate(self.experts):
                m = idx[..., k] == e
                out[m] = expert(x[m])
            total = total + w[..., k, None] * out
    """,
    "the old value is read": """
        for k in range(self.k):
            for e, expert in enumerate(self.experts):
                m = idx[..., k] == e
                before = out[m]
                out[m] = before + expert(x[m])
    """,
    "the first slot only": """
        first = idx[..., 0]
        for e, expert in enumerate(self.experts):
            m = first == e
            out[m] = expert(x[m])
    """,
    "one expert by argmax": """
        best = self.router.score(x).argmax(-1)
        for e, expert in enumerate(self.experts):
            m = best == e
            out[m] = expert(x[m])
    """,
    "one expert from a helper": """
        share, best = self.router.best(x)
        for e, expert in enumerate(self.experts):
            m = best == e
            out[m] = expert(x[m]) * share[m, None]
    """,
    "topk of one": """
        w, best = self.router.score(x).topk(1, dim=-1)
        for e, expert in enumerate(self.experts):
            rows, _ = torch.where(best == e)
            out[rows] = expert(x[rows])
    """,
    "a place for each slot": """
        parts = x.new_zeros(x.size(0), self.k, x.size(1))
        for e, expert in enumerate(self.experts):
            rows, slots = torch.where(idx == e)
            parts[rows, slots] = expert(x[rows])
    """,
    "a place for each expert": """
        parts = x.new_zeros(4, *x.shape)
        for e, expert in enumerate(self.experts):
            parts[e] = expert(x)
    """,
    "a column for each expert": """
        parts = x.new_zeros(*x.shape, 4)
        for e, expert in enumerate(self.experts):
            parts[..., e] = expert(x)
    """,
    "a list for each slot": """
        parts = [torch.zeros_like(x) for _ in range(self.k)]
        for k in range(self.k):
            for e, expert in enumerate(self.experts):
                m = idx[..., k] == e
                parts[k][m] = expert(x[m])
    """,
    "sample by sample": """
        for b in range(x.size(0)):
            first = idx[b, :, 0]
            for e, expert in enumerate(self.experts):
                m = first == e
                out[b, m] = expert(x[b, m])
    """,
    "sorted segments": """
        start = 0
        for count, expert in zip(idx.flatten().bincount().tolist(), self.experts):
            out[start : start + count] = expert(x[start : start + count])
            start += count
    """,
    "layers one after the other": """
        for layer in self.experts:
            x = layer(x)
        out = x
    """,
    "a running state": """
        state = torch.zeros_like(x)
        for cell in self.experts:
            state = cell(x + state)
    """,
    "the one that fits": """
        for e, expert in enumerate(self.experts):
            if e == self.k:
                out = expert(x)
    """,
    "where with zeros, added": """
        for e, expert in enumerate(self.experts):
            m = (idx == e).any(-1, keepdim=True)
            out = out + torch.where(m, expert(x), torch.zeros_like(x))
    """,
}


def model(body: str) -> str:
    """A mixture whose forward has the snippet for its body."""
    return f"{HEAD}{body.strip(chr(10)).rstrip()}\n        return out\n"


@pytest.mark.parametrize("body", REPORTED.values(), ids=REPORTED)
def test_an_assignment_that_loses_results_is_reported(body: str) -> None:
    """The finding stands on the statement that stores."""
    text = model(body)
    assert lines_of("GD201", text) == [
        number for number, line in enumerate(text.splitlines(), 1) if "# here" in line
    ]


@pytest.mark.parametrize("body", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_an_assignment_that_loses_nothing_is_left_alone(body: str) -> None:
    """No result is overwritten, or none of an expert's."""
    assert lines_of("GD201", model(body)) == []


def test_the_details_name_what_a_remedy_needs() -> None:
    """Buffer, mask, loop and the router's weights, as texts of the source."""
    told = scan_suspicions(model(REPORTED["a mask for each slot"]))
    (found,) = [one for one in told if one.rule == "GD201"]
    expected = {
        "buffer": "out",
        "index": "mask",
        "value": "expert(x[mask])",
        "experts": "self.experts",
        "expert": "expert",
        "expert_input": "x[mask]",
        "number": "e",
        "slot": "k",
        "chosen": "idx[..., k]",
        "top_weights": "w",
        "top_indices": "idx",
        "weighted": False,
    }
    assert {key: found.details[key] for key in expected} == expected


def experts(rows_lost: int, *overwrites: Overwrite) -> ExpertList:
    """A list of experts over one forward pass."""
    return ExpertList(
        name="moe.experts",
        path="model.py",
        symbol="Mixture.forward",
        experts=4,
        experts_run=4,
        rows_run=42,
        rows_lost=rows_lost,
        overwrites=overwrites,
    )


WRITE = Overwrite(path="model.py", symbol="Mixture.forward", line=40, operation="setitem", rows=21)


def test_lost_rows_convict_the_statement_that_overwrote_them() -> None:
    """The conviction stands at the statement and carries the counts."""
    (found,) = read_routing(ExpertRouting(lists=(experts(21, WRITE),)), NO_RECORD)
    assert found.status is Status.CONFIRMED
    assert found.place is not None
    assert found.place.line == 40
    assert found.values["rows_lost"] == 21
    assert found.values["rows_overwritten"] == 21


def test_rows_that_all_arrive_refute_for_the_function() -> None:
    """Nothing lost and nothing overwritten clears the function that ran the experts."""
    (found,) = read_routing(ExpertRouting(lists=(experts(0),)), NO_RECORD)
    assert found.status is Status.REFUTED
    assert found.place is not None
    assert (found.place.symbol, found.place.line) == ("Mixture.forward", None)


@pytest.mark.parametrize(
    "lists", [(), (experts(0, WRITE),), (experts(5),)], ids=["no experts", "no loss", "no write"]
)
def test_anything_else_is_left_open(lists: tuple[ExpertList, ...]) -> None:
    """Rows lost without an overwrite, or the reverse, have other reasons."""
    assert list(read_routing(ExpertRouting(lists=lists), NO_RECORD)) == []
