"""GD113: a layer with weights is made in forward, used once and thrown away."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, NamedIn, Visit, calls
from gptdoctor.source.classes import FunctionNode, self_attribute
from gptdoctor.source.flow_calls import callers
from gptdoctor.source.flow_functions import Function, loads_of, own_nodes
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.forward_path import runs_in_forward
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project

CODE = "GD113"
# Layers of torch.nn that draw their weights at random when they are made.  Norms are left out:
# made anew they are what they are without weights, and some are meant so.
DRAWN = (
    "Linear Bilinear Embedding EmbeddingBag Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d "
    "ConvTranspose3d RNN LSTM GRU RNNCell LSTMCell GRUCell MultiheadAttention "
    "TransformerEncoderLayer TransformerDecoderLayer LazyLinear LazyConv1d LazyConv2d"
)
_DRAWN_CALL = re.compile(rf"\b(?:{'|'.join(DRAWN.split())})\(")
# Around a value that gets a name: a tuple where several get theirs at once.
_GIVING = ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.Tuple
# What moves a layer that was just made, and hands it back.
MOVING = frozenset(
    {"to", "cuda", "cpu", "half", "float", "bfloat16", "double", "type", "train", "type_as"}
)


def see_layer(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A layer made in a method that forward runs, called there and kept nowhere."""
    method = visit.function
    if not isinstance(node, ast.Call) or method is None or method.name == "__init__":
        return  # where nearly all layers are made
    if method.decorator_list and method.name != "forward":
        return  # it may run once, and hand out what it made from then on
    if not _is_layer(node, visit) or not _runs(method, visit):
        return
    if not (_is_only_called(node, visit) or _replaces(node, visit)) or _is_cached(visit):
        return
    info = visit.owner
    if info is not None and not visit.project.is_network(info):
        return
    location = visit.module.location(node)
    yield Suspicion(
        rule=CODE,
        location=location,
        symbol=visit.symbol,
        message=(
            f"{method.name} makes a new `{text_of(node.func)}` at each call: its weights are "
            f"random every time, and no optimizer ever sees them."
        ),
        details={"layer": text_of(node.func), "function": method.name},
        extent=(location.line, location.end_line),
    )


def own_layers(_: Project, module: SourceModule) -> frozenset[str]:
    """The classes of a file that may be networks; most are made in constructors alone."""
    body = module.tree.body
    return frozenset(node.name for node in body if isinstance(node, ast.ClassDef) and node.bases)


def _is_layer(call: ast.Call, visit: Visit) -> bool:
    """Whether a call makes a layer of torch.nn that draws its weights, or a network with such."""
    qualified = visit.module.names.called(call) or ""
    if qualified.startswith("torch.nn."):
        return qualified.rpartition(".")[2] in DRAWN.split()
    info = visit.project.classes(visit.module).get(qualified)
    drawn = info is not None and _DRAWN_CALL.search(info.text) is not None
    return drawn and info is not None and visit.project.is_network(info)


def _runs(method: FunctionNode, visit: Visit) -> bool:
    """Whether a method runs in its class's forward, or a function in that of a class here."""
    info = visit.owner
    if info is not None:
        return info.methods.get(method.name) is method and runs_in_forward(method, info)
    function = visit.flow
    if function is None or function.outer is not None or f"{method.name}(" not in visit.module.text:
        return False
    sites = (site.function for site in callers(visit.project, function))
    return any(
        one.owner is not None
        and runs_in_forward(one.node, one.owner)
        and visit.project.is_network(one.owner)
        for one in sites
    )


def _is_only_called(made: ast.Call, visit: Visit) -> bool:
    """Whether a layer is used by calls alone: nobody sets its weights, and nobody keeps it."""
    value, around = _whole(made, visit)
    if isinstance(around, ast.Call) and around.func is value:
        return True
    function = visit.flow
    if function is None or not isinstance(around, _GIVING):
        return False
    names = function.bindings.names_given.get(value, [])
    if len(names) != 1:
        return False
    if value is made or (isinstance(value, ast.Call) and not _is_list(value, visit)):
        return _called_alone(names[0], value, function)
    return _gone_through_alone(names[0], value, function)


def _whole(made: ast.Call, visit: Visit) -> tuple[ast.expr, ast.AST]:
    """A layer as it is used, moved or in a sequence of others, and what stands around that."""
    parents = list(visit.parents)
    value: ast.expr = made
    while True:
        if isinstance(parents[-1], ast.Attribute) and _moves(parents[-2], value):
            moved = parents[-2]
            value, parents = moved if isinstance(moved, ast.Call) else value, parents[:-2]
        elif _is_sequence(parents[-1], value, visit) or _is_listed(parents[-1], value, visit):
            around = parents.pop()
            value = around if isinstance(around, ast.expr) else value
        else:
            return value, parents[-1]


def _is_sequence(node: ast.AST, value: ast.expr, visit: Visit) -> bool:
    """Whether a call is `nn.Sequential(...)` with a layer among its arguments."""
    if not isinstance(node, ast.Call) or value not in node.args:
        return False
    return visit.module.names.called(node) == "torch.nn.Sequential"


def _is_listed(node: ast.AST, value: ast.expr, visit: Visit) -> bool:
    """Whether a layer is what a list has in it, or a list what `nn.ModuleList` is given."""
    if isinstance(node, ast.ListComp | ast.GeneratorExp):
        return node.elt is value
    if isinstance(node, ast.List):
        return value in node.elts
    return isinstance(node, ast.Call) and _is_list(node, visit) and value in node.args


def _is_list(call: ast.Call, visit: Visit) -> bool:
    return visit.module.names.called(call) == "torch.nn.ModuleList"


def _replaces(made: ast.Call, visit: Visit) -> bool:
    """Whether forward gives an attribute a new layer at every call, and calls it."""
    around = _whole(made, visit)[1]
    method = visit.function
    target = around.targets[0] if isinstance(around, ast.Assign) else None
    name = self_attribute(target) if target is not None else None
    if name is None or method is None or method.name != "forward" or around not in method.body:
        return False  # in a branch it may be made once, for the first call
    calls_in = (node for node in own_nodes(method) if isinstance(node, ast.Call))
    return any(self_attribute(node.func) == name for node in calls_in)


def _moves(node: ast.AST, value: ast.expr) -> bool:
    """Whether a call is `layer.to(...)` of the layer."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.value is value and node.func.attr in MOVING


def _called_alone(name: str, value: ast.expr, function: Function) -> bool:
    """Whether a local layer is called or moved, and nothing else is done with it."""
    known = function.bindings.by_name.get(name, [])
    if any(one.role is not Role.WHOLE or not _is_same(one.value, name, value) for one in known):
        return False
    inside = list(own_nodes(function.node))
    callees = {node.func for node in inside if isinstance(node, ast.Call)}
    moved = {
        node.value
        for node in inside
        if isinstance(node, ast.Attribute) and node.attr in MOVING and node in callees
    }
    reads = [
        node
        for node in inside
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    ]
    return bool(reads) and all(node in callees or node in moved for node in reads)


def _is_same(given: ast.expr | None, name: str, value: ast.expr) -> bool:
    """Whether a name is given the layer, or `layer = layer.cuda()`."""
    called = given.func if isinstance(given, ast.Call) else None
    moved = isinstance(called, ast.Attribute) and called.attr in MOVING
    again = moved and isinstance(called, ast.Attribute) and text_of(called.value) == name
    return given is value or again


def _gone_through_alone(name: str, value: ast.expr, function: Function) -> bool:
    """Whether a local list of layers is gone through, and each of them is called alone."""
    known = function.bindings.by_name.get(name, [])
    loads = loads_of(function).get(name, [])
    elements = [
        (other, one)
        for other, bindings in function.bindings.by_name.items()
        for one in bindings
        if one.role is Role.ELEMENT and one.value in loads
    ]
    if len(known) != 1 or known[0].value is not value or len(elements) != len(loads):
        return False
    callees = {node.func for node in own_nodes(function.node) if isinstance(node, ast.Call)}
    reads = [
        load
        for other, one in elements
        for load in loads_of(function).get(other, [])
        if one in function.reaching(load)
    ]
    return bool(reads) and all(load in callees for load in reads)


def _is_cached(visit: Visit) -> bool:
    """Whether a test around it asks for something that is kept, or whether it runs at all."""
    tests = [one.test for one in visit.parents if isinstance(one, ast.If | ast.IfExp)]
    asked = ("hasattr", "getattr", "isinstance")
    return any(
        (isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is | ast.IsNot))
        or (isinstance(node, ast.Call) and called_name(node) in asked)
        for test in tests
        for node in every_node(test)
    )


SICK = """\
import torch
from torch import nn


class Match(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, x):
        if x.size(-1) != self.width:
            x = nn.Linear(x.size(-1), self.width)(x)
        return torch.relu(x)
"""

DEFECT = Defect(
    code=CODE,
    name="module-built-in-forward",
    severity=Severity.HIGH,
    summary="A layer with weights is made in forward, and thrown away after it was used.",
    explanation=(
        "`forward`, or a method or function that it calls, makes an nn.Linear, a convolution, an "
        "embedding or another layer that draws its weights, by itself, in a sequence or in a "
        "class of the file, calls it, and keeps it nowhere, or puts it in the place of the one "
        "of the last call. Layers without "
        "weights, functions of torch.nn.functional, layers that are kept on `self` when they were "
        "not there yet, and layers whose weights are set by hand are not meant."
    ),
    harm=(
        "Each call has other random weights, on the CPU, and no optimizer knows any of them: this "
        "part of the model is noise, in training and after."
    ),
    confirmed_by=(
        "No probe measures it apart: where its weights move the output, two evaluations of the "
        "same input differ, which GD808 reports. Two calls in evaluation mode show it."
    ),
    sick=SICK,
    healed=SICK.replace(
        "        self.width = width\n", "        self.mix = nn.Linear(width, width)\n"
    ).replace(
        "        if x.size(-1) != self.width:\n"
        "            x = nn.Linear(x.size(-1), self.width)(x)\n"
        "        return torch.relu(x)",
        "        return torch.relu(self.mix(x))",
    ),
    suspects={
        calls(*DRAWN.split()): see_layer,
        NamedIn(ast.Call, own_layers): see_layer,
    },
)
