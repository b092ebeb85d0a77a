"""GD301, transposed-gate: which transposes are reported, and what measurements say of them."""

from __future__ import annotations

import pytest

from gptdoctor.core.findings import Conviction, Status
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.shapes import ShapeCase, Shapes, TransposeWarning
from gptdoctor.defects.shapes.transposed_gate import read_shapes
from tests.defects.records import NO_RECORD
from tests.defects.scanning import lines_of, scan_suspicions

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


class Gate(nn.Module):
    def __init__(self, dim, n):
        super().__init__()
        self.score = nn.Linear(dim, n)

    def forward(self, x):
        return F.softmax(self.score(x), dim=-1)


class Mixture(nn.Module):
    def __init__(self, dim, n):
        super().__init__()
        self.gate = nn.Linear(dim, n)
        self.router = Gate(dim, n)
        self.experts = nn.ModuleList([nn.Linear(dim, dim) for _ in range(n)])

    def forward(self, x):
        g = self.gate(x).softmax(-1)
"""

REPORTED = {
    "zip with .T": "y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g.T, self.experts))",
    "a loop over .T": """
        y = 0
        for w, f in zip(g.T, self.experts):  # here
            y = y + w.unsqueeze(-1) * f(x)
    """,
    "enumerate and the experts by number": """
        y = 0
        for i, w in enumerate(g.T):  # here
            y = y + w[..., None] * self.experts[i](x)
    """,
    "through a name": """
        turned = g.permute(2, 1, 0)  # here
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(turned, self.experts))
    """,
    "the same name again": """
        g = g.transpose(0, 1)  # here
        y = sum(g[i].unsqueeze(-1) * self.experts[i](x) for i in range(len(self.experts)))
    """,
    "negative dimensions": """
        g = g.transpose(-1, 0)  # here
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g, self.experts))
    """,
    "torch.transpose": """
        g = torch.transpose(g, 0, 2)  # here
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g, self.experts))
    """,
    "torch.permute with a tuple": """
        g = torch.permute(g, (2, 1, 0))  # here
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g, self.experts))
    """,
    "permute with dims=": """
        g = g.permute(dims=(2, 1, 0))  # here
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g, self.experts))
    """,
    "swapaxes": """
        g = g.swapaxes(0, 2)  # here
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g, self.experts))
    """,
    "movedim of the wrong one": """
        g = g.movedim(1, 0)  # here
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g, self.experts))
    """,
    ".mT": """
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g.mT, self.experts))  # here
    """,
    "unbind after a transpose": """
        parts = zip(g.T.unbind(0), self.experts)  # here
        y = sum(w.unsqueeze(-1) * f(x) for w, f in parts)
    """,
    "indexed where it stands": """
        y = sum(g.T[i].unsqueeze(-1) * f(x) for i, f in enumerate(self.experts))  # here
    """,
    "a gate of its own class": """
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(self.router(x).T, self.experts))  # here
    """,
    "map": """
        y = sum(map(lambda w, f: w.unsqueeze(-1) * f(x), g.T, self.experts))  # here
    """,
    "experts in the first dimension of a softmax over the last": """
        g = F.softmax(self.gate(x), dim=2).permute(1, 0, 2)  # here
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g, self.experts))
    """,
}

LEFT_ALONE = {
    "two dimensions by view": """
        flat = x.view(-1, x.size(-1))
        g = self.gate(flat).softmax(-1)
        y = sum(w.unsqueeze(-1) * f(flat) for w, f in zip(g.T, self.experts))
    """,
    "two dimensions by flatten": """
        flat = x.flatten(0, 1)
        g = self.gate(flat).softmax(-1)
        y = sum(w.unsqueeze(-1) * f(flat) for w, f in zip(g.t(), self.experts))
    """,
    "two sizes unpacked": """
        n, c = x.shape
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g.T, self.experts))
    """,
    "pooled": """
        g = self.gate(x.mean(dim=1)).softmax(-1)
        y = sum(w[:, None, None] * f(x) for w, f in zip(g.T, self.experts))
    """,
    "the last position": """
        g = self.gate(x[:, -1]).softmax(-1)
        y = sum(w[:, None, None] * f(x) for w, f in zip(g.transpose(0, 1), self.experts))
    """,
    "a weight that is used as a vector": """
        y = sum(w[:, None] * f(x) for w, f in zip(g.T, self.experts))
    """,
    "a weight viewed as a column": """
        y = sum(w.view(-1, 1) * f(x) for w, f in zip(g.T, self.experts))
    """,
    ".t() is for two dimensions": """
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g.t(), self.experts))
    """,
    "experts first, the rest in order": """
        g = g.permute(2, 0, 1)
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g, self.experts))
    """,
    "movedim": """
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g.movedim(-1, 0), self.experts))
    """,
    "unbind": """
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g.unbind(-1), self.experts))
    """,
    "two transposes that make it right": """
        g = g.T.transpose(1, 2)
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g, self.experts))
    """,
    "turned back in the loop": """
        y = sum(w.T.unsqueeze(-1) * f(x) for w, f in zip(g.T, self.experts))
    """,
    "experts see the same order": """
        z = x.transpose(0, 1)
        y = sum(w.unsqueeze(-1) * f(z) for w, f in zip(g.T, self.experts))
    """,
    "experts in the middle on purpose": """
        g = F.softmax(self.gate(x).transpose(1, 2), dim=1).transpose(0, 1)
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g, self.experts))
    """,
    "no experts are run": """
        y = [w.mean() for w in g.T]
    """,
    "a transpose elsewhere": """
        z = x.transpose(1, 2)
        y = sum(g[..., i, None] * f(x) for i, f in enumerate(self.experts)) + z.transpose(1, 2)
    """,
    "a matrix product": """
        y = [f(x) @ self.gate.weight.T for f in self.experts]
    """,
}


def model(body: str) -> str:
    """A mixture whose forward has the snippet for its body."""
    lines = body.strip("\n").rstrip() if "\n" in body else f"        {body}  # here"
    return f"{HEAD}{lines}\n        return y\n"


@pytest.mark.parametrize("body", REPORTED.values(), ids=REPORTED)
def test_a_transpose_that_mixes_batch_and_time_is_reported(body: str) -> None:
    """The finding stands on the transposing expression."""
    text = model(body)
    assert lines_of("GD301", text) == [
        number for number, line in enumerate(text.splitlines(), 1) if "# here" in line
    ]


@pytest.mark.parametrize("body", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_a_transpose_that_keeps_the_order_is_left_alone(body: str) -> None:
    """Two dimensions, the right order, or nothing that is paired with experts."""
    assert lines_of("GD301", model(body)) == []


def test_callers_tell_how_many_dimensions_there_are() -> None:
    """A layer that gets flattened tokens from its only caller has a gate of two dimensions."""
    layer = model(REPORTED["zip with .T"])
    block = """

class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.moe = Mixture(dim, 4)

    def forward(self, x):
        B, T, C = x.shape
        return self.moe({given}).view(B, T, C)
"""
    assert lines_of("GD301", layer + block.format(given="x.reshape(B * T, C)")) == []
    assert lines_of("GD301", layer + block.format(given="x")) != []


def test_a_transpose_in_a_helper_is_reported_there() -> None:
    """The symbol and the place are those of the method that transposes."""
    text = (
        HEAD.replace("        g = self.gate(x).softmax(-1)\n", "")
        + """\
        return sum(w.unsqueeze(-1) * f(x) for w, f in zip(self.turned(x), self.experts))

    def turned(self, x):
        return self.gate(x).softmax(-1).permute(2, 1, 0)
"""
    )
    (found,) = scan_suspicions(text)
    assert (found.rule, found.symbol) == ("GD301", "Mixture.turned")
    assert "permute(2, 1, 0)" in text.splitlines()[found.location.line - 1]


def test_the_details_name_what_a_remedy_needs() -> None:
    """The gate before the transpose, how it is spelled, and what it is paired with."""
    (found,) = scan_suspicions(model(REPORTED["a loop over .T"]))
    expected = {"gate": "g", "transposed": "g.T", "spelling": "T", "rank": 3, "weight": "w"}
    assert {key: found.details[key] for key in expected} == expected
    assert (found.details["experts"], found.details["use"]) == ("self.experts", "iterated")


MISMATCH = Crash(
    stage="forward",
    kind="RuntimeError",
    message="The size of tensor a (7) must match the size of tensor b (3) at dimension 1",
    path="model.py",
    symbol="Mixture.forward",
    line=30,
    shapes=("g [3, 7, 4]",),
)
WARNING = TransposeWarning(path="model.py", symbol="Mixture.forward", line=29, dimensions=3)


def case(outcome: str = "ok", crash: Crash | None = None) -> ShapeCase:
    """A forward pass at B=3, T=7."""
    return ShapeCase(batch=3, length=7, outcome=outcome, logits_shape=(3, 7, 97), crash=crash)


def convictions(
    *cases: ShapeCase,
    warnings: tuple[TransposeWarning, ...] = (),
    row_influence: float | None = None,
) -> list[Conviction]:
    """What the rule reads in a measurement."""
    shapes = Shapes(cases=cases, transpose_warnings=warnings, row_influence=row_influence)
    return list(read_shapes(shapes, NO_RECORD))


def test_a_crash_at_a_warned_line_convicts_it() -> None:
    """The warning gives the line, the crash gives sizes, error and shapes."""
    (found,) = convictions(case("crash", MISMATCH), warnings=(WARNING,))
    assert (found.status, found.alone) == (Status.CONFIRMED, True)
    assert found.place is not None
    assert found.place.line == 29
    assert found.values["case"] == "B=3 T=7"
    assert found.values["shapes"] == ("g [3, 7, 4]",)


def test_rows_that_influence_each_other_convict_a_warned_line() -> None:
    """Where sizes happen to fit, the leak between rows is the harm."""
    (found,) = convictions(case(), warnings=(WARNING,), row_influence=0.02)
    assert (found.status, found.values["row_influence"]) == (Status.CONFIRMED, 0.02)


def test_a_crash_without_a_warning_needs_a_suspicion() -> None:
    """A size mismatch has many reasons: it counts where the text shows the transpose."""
    (found,) = convictions(case("crash", MISMATCH))
    assert (found.status, found.alone) == (Status.CONFIRMED, False)
    assert found.place is not None
    assert (found.place.symbol, found.place.line) == ("Mixture", None)


def test_right_shapes_and_separate_rows_refute() -> None:
    """The refutation holds for all code that ran."""
    (found,) = convictions(case(), warnings=(WARNING,), row_influence=3e-7)
    assert (found.status, found.place) == (Status.REFUTED, None)


@pytest.mark.parametrize(
    "crash",
    [
        Crash(stage="forward", kind="KeyError", message="'mask'", path="model.py", symbol="f"),
        Crash(stage="forward", kind="RuntimeError", message="size of tensor a must match"),
    ],
    ids=["another error", "not in the user's code"],
)
def test_other_crashes_convict_nobody(crash: Crash) -> None:
    """Only a size mismatch in the project's own code speaks of a transpose."""
    assert convictions(case("crash", crash), row_influence=0.0) == []
