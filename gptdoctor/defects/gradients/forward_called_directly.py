"""GD117: a layer's `forward` is called by its name, past the hooks of its call."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.constructors import constructor_of
from gptdoctor.source.flow_attributes import PARAMETERS
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.forward_path import runs_in_forward

CODE = "GD117"


def see_call(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """`self.layer.forward(x)` in a forward, of a layer that the constructor made."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    name = self_attribute(node.func.value)
    method, owner = visit.function, visit.owner
    if name is None or method is None or owner is None or not runs_in_forward(method, owner):
        return
    constructor = constructor_of(visit.project, owner)
    if constructor is None or not constructor.settled:
        return
    made = [one.value for one in constructor.settings if one.name == name]
    if not made or not all(_is_layer(one, visit) for one in made):
        return
    location = visit.module.location(node)
    called = text_of(node.func.value)
    yield Suspicion(
        rule=CODE,
        location=location,
        symbol=visit.symbol,
        message=f"`{called}.forward(...)` skips the hooks of `{called}`: call `{called}(...)`.",
        details={"attribute": name},
        extent=(location.line, location.end_line),
    )


def _is_layer(value: ast.expr, visit: Visit) -> bool:
    """Whether a value is a module: of torch.nn, or of the project."""
    qualified = visit.module.names.called(value) or ""
    last = qualified.rpartition(".")[2]
    if qualified.startswith("torch.nn."):
        return last[:1].isupper() and last not in PARAMETERS
    info = visit.project.class_named(qualified, visit.module)
    if info is None or not visit.project.is_network(info):
        return False
    # What has a call of its own does more than forward there, and may be passed by on purpose.
    return all("__call__" not in one.methods for one in [info, *visit.project.bases(info)])


SICK = """\
from torch import nn


class Block(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.mix = nn.Linear(width, width)

    def forward(self, x):
        return x + self.mix.forward(x).relu()
"""

DEFECT = Defect(
    code=CODE,
    name="forward-called-directly",
    severity=Severity.LOW,
    summary="A layer's `forward` is called by its name, and its hooks do not run.",
    explanation=(
        "A forward pass calls `self.layer.forward(x)` where `self.layer(x)` is meant. "
        "`super().forward(x)`, a method that hands on to its own forward, layers that are given "
        "from outside, and layers with a `__call__` of their own are not meant."
    ),
    harm=(
        "Hooks are how weight norm, quantisation, FSDP's gathering of parameters, profilers and "
        "adapters work: whatever is put on that layer does nothing, without a word."
    ),
    confirmed_by=(
        "No probe measures it: without hooks both calls give the same. A forward hook on the "
        "layer that never runs shows it."
    ),
    sick=SICK,
    healed=SICK.replace("self.mix.forward(x)", "self.mix(x)"),
    suspects={calls("forward"): see_call},
)
