"""GD117: a layer's `forward` is called by its name, past the hooks of its call."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, attributes, calls
from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.constructors import constructor_of
from gptdoctor.source.flow_assigned import Assigned
from gptdoctor.source.flow_attributes import PARAMETERS
from gptdoctor.source.flow_functions import Function, loads_of, own_nodes
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.held_layers import made_as
from gptdoctor.source.project import Project

CODE = "GD117"
# TorchScript calls a module by its interface with `forward`, and by nothing else.
SCRIPTED = "jit.interface"


def see_call(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """`self.layer.forward(x)` of a layer that the class or the function has made itself."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        yield from _suspect(node.func, node, visit)


def see_name(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """`step = self.layer.forward`, and later `step(x)`: the same under a name."""
    around = visit.parent
    if not isinstance(node, ast.Attribute) or not isinstance(around, ast.Assign):
        return
    name = around.targets[0] if around.value is node else None
    function = visit.flow
    if function is None or not isinstance(name, ast.Name):
        return
    if _is_called_only(name.id, function):
        yield from _suspect(node, node, visit)


def _is_called_only(name: str, function: Function) -> bool:
    """Whether all that a function does with a name is to call it: it may be kept otherwise."""
    loads = loads_of(function).get(name, ())
    called = [one.func for one in own_nodes(function.node) if isinstance(one, ast.Call)]
    set_anew = any(
        isinstance(one, ast.Attribute) and one.attr == "forward" and isinstance(one.ctx, ast.Store)
        for one in own_nodes(function.node)
    )
    return bool(loads) and all(one in called for one in loads) and not set_anew


def _suspect(named: ast.Attribute, node: ast.expr, visit: Visit) -> Iterator[Suspicion]:
    """`named` is `LAYER.forward`, which `node` calls or gives a name."""
    function, owner = visit.flow, visit.owner
    if function is None or SCRIPTED in visit.module.text or not _is_settled(owner, visit):
        return
    made = made_as(visit.project, named.value, function)
    if not made or not all(_is_layer(one, visit.project) for one in made):
        return
    location = visit.module.location(node)
    called = text_of(named.value)
    yield Suspicion(
        rule=CODE,
        location=location,
        symbol=visit.symbol,
        message=f"`{called}.forward(...)` skips the hooks of `{called}`: call `{called}(...)`.",
        details={"attribute": self_attribute(named.value) or called},
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
        "the class has made, by itself or in a list, or of a model that the function has made; or "
        "`self.layer.forward` gets a name, which is called. "
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
    suspects={calls("forward"): see_call, attributes("forward"): see_name},
)
