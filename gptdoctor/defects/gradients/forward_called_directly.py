"""GD117: a layer's `forward` is called by its name, past the hooks of its call."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.constructors import constructor_of
from gptdoctor.source.flow_assigned import Assigned
from gptdoctor.source.flow_attributes import PARAMETERS
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.held_layers import made_as
from gptdoctor.source.project import Project

CODE = "GD117"
# TorchScript calls a module by its interface with `forward`, and by nothing else.
SCRIPTED = "jit.interface"


def see_call(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """`self.layer.forward(x)` of a layer that the class or the function has made itself."""
    function, owner = visit.flow, visit.owner
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    if function is None or SCRIPTED in visit.module.text or not _is_settled(owner, visit):
        return
    made = made_as(visit.project, node.func.value, function)
    if not made or not all(_is_layer(one, visit.project) for one in made):
        return
    location = visit.module.location(node)
    called = text_of(node.func.value)
    yield Suspicion(
        rule=CODE,
        location=location,
        symbol=visit.symbol,
        message=f"`{called}.forward(...)` skips the hooks of `{called}`: call `{called}(...)`.",
        details={"attribute": self_attribute(node.func.value) or called},
        extent=(location.line, location.end_line),
    )


def _is_settled(owner: ClassInfo | None, visit: Visit) -> bool:
    """Whether a class leaves it to torch what its attributes are."""
    constructor = None if owner is None else constructor_of(visit.project, owner)
    return constructor is None or constructor.settled


def _is_layer(made: Assigned, project: Project) -> bool:
    """Whether an expression makes a module: of torch.nn, or of the project."""
    module = made.function.module
    qualified = module.names.called(made.value) or ""
    last = qualified.rpartition(".")[2]
    if qualified.startswith("torch.nn."):
        return last[:1].isupper() and last not in PARAMETERS
    info = project.class_named(qualified, module)
    if info is None or not project.is_network(info):
        return False
    # What has a call of its own does more than forward there, and may be passed by on purpose.
    return all("__call__" not in one.methods for one in [info, *project.bases(info)])


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
        "A call of `self.layer.forward(x)` stands where `self.layer(x)` is meant: of a layer that "
        "the class has made, by itself or in a list, or of a model that the function has made. "
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
