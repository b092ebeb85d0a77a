"""Sublayers whose result takes the place of a stream to which another one is added."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from gptdoctor.source.classes import ClassInfo, parameters, self_attribute
from gptdoctor.source.flow_attributes import attributes_of
from gptdoctor.source.flow_calls import callers
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role, text_of, unpack
from gptdoctor.source.kept import kept
from gptdoctor.source.nodes import calls_below, every_node
from gptdoctor.source.project import Project
from gptdoctor.source.statements import own_statements
from gptdoctor.source.streams import Came, Value, stream_of

# The two kinds of sublayers of a transformer's block, in the words of attributes and classes.
ATTENTION = re.compile(r"att(n|ention|end)|mixer\b|mixing|(^|_)sa_block", re.IGNORECASE)
FEEDING = re.compile(r"mlp|ffn?s?\b|ff_|feed_?forward|moe\b|expert", re.IGNORECASE)
# Sublayers that end a stream on purpose: what they give is another thing than they were given.
ELSEWHERE = re.compile(
    r"pool|embed|patch|merg|proj_?(in|out)|resampl|compress|head\b|stem|cross|latent|fus|encoder"
    r"|decoder|conv|summar|readout|classif",
    re.IGNORECASE,
)
# The attention of a decoder's block to what an encoder gives; without self-attention beside it, it
# may read into a stream of its own.
CROSS = re.compile(r"cross_?att|(enc|encoder|src|memory)_?att|(^|_)(ca|mha)_block", re.I)
# A class with these may carry the stream by itself.
CARRYING = ("resid", "shortcut", "skip", "highway", "identity", "bypass", "carry")
# What a sublayer may be handed beside the stream.
BESIDE = re.compile(
    r"mask|(^|_)pad|pos|freq|cos|sin|cache|past|rope|rotary|causal|weights|bias|layer|head|train|seq|len",
    re.IGNORECASE,
)
OUTSIDE = "torch.nn.MultiheadAttention"
DEEPEST = 3  # classes inside classes


@dataclass(frozen=True, eq=False)
class Layer:
    """What a called layer is: the call that makes it, where there is one, and its classes."""

    made: ast.Call | None
    networks: frozenset[ClassInfo]


Finder = Callable[[ast.expr], Layer | None]


def replaced_streams(project: Project, function: Function) -> Iterator[tuple[ast.Call, ast.Call]]:
    """The calls whose results take the stream's place, each with one that is added to it."""
    owner = function.owner
    result = None if owner is None else stream_of(function)
    if owner is None or result is None or carries(owner):
        return
    found = lone_replacement(project, result, function, partial(_own_layer, project, owner))
    if found is not None and not _added_outside(project, function):
        yield found


@kept(64)
def carries(info: ClassInfo) -> bool:
    """Whether a class may carry the stream by itself, by the words of its lines."""
    return any(map(info.text.lower().__contains__, CARRYING))


def lone_replacement(
    project: Project, result: Value, function: Function, find: Finder
) -> tuple[ast.Call, ast.Call] | None:
    """The one sublayer that replaces a stream of which `result` comes, and one that is added."""
    steps = list(result.steps)
    if steps[-1].came is not Came.INPUT:
        return None
    on_stream = [one.call for one in steps if one.call is not None]
    sums = [one for one in steps if one.came is Came.SUM and one.added is not None]
    added = [call for one in sums for call in _calls_added(one) if _kind(call)]
    replacing = [one for one in on_stream if _kind(one)]
    crosses = len(replacing) == 1 and _kind(replacing[0]) == "cross"
    if crosses:
        added = [one for one in added if _kind(one) == "attention"]
    beside = next(iter(added), None)
    if beside is None or len(replacing) != 1 or _kind(beside) == _kind(replacing[0]):
        return None
    alone = _is_alone(project, replacing[0], function, find(replacing[0].func))
    return (replacing[0], beside) if alone else None


def _own_layer(project: Project, owner: ClassInfo, called: ast.expr) -> Layer | None:
    """What `self.NAME` is."""
    name = self_attribute(called)
    made = _maker(owner, name) if name else None
    if name is None or made is None:
        return None
    return Layer(made, attributes_of(project, owner).classes(name))


def names_both(text: str) -> bool:
    """Whether a text has a word of either kind of sublayer; asked before anything is read."""
    plain = text.lower()
    one = "att" in plain or "mix" in plain or "sa_block" in plain
    return one and any(map(plain.__contains__, ("mlp", "ff", "feed", "moe", "expert")))


def _calls_added(value: Value) -> Iterator[ast.Call]:
    """The layers by which what is added was made of what it is added to."""
    for one in value.added.steps if value.added is not None else ():
        if one is value.base:
            return
        if one.call is not None:
            yield one.call


def _kind(call: ast.Call) -> str:
    """What sort of sublayer a call is of, by the attribute's name."""
    name = _last_name(call.func)
    if CROSS.search(name):
        return "cross"
    if re.search(r"norm|ln|drop", name) or ELSEWHERE.search(name):
        return ""
    if ATTENTION.search(name):
        return "attention"
    return "feeding" if FEEDING.search(name) else ""


def _last_name(called: ast.expr) -> str:
    """The name that tells what a called layer is: that of the list, or its own."""
    if isinstance(called, ast.Subscript):
        called = called.value
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _is_alone(project: Project, call: ast.Call, function: Function, layer: Layer | None) -> bool:
    """Whether a sublayer is known, and neither adds the stream itself nor is handed another."""
    told = [*call.args, *(one.value for one in call.keywords)]
    others = [one for one in told if not isinstance(one, ast.Constant)]
    texts = {text_of(one) for one in others}
    most = 2 if _kind(call) == "cross" else 1  # a cross-attention is handed what it looks at
    if sum(not BESIDE.search(one) for one in texts) > most:
        return False
    if layer is None:
        return _is_plain_helper(call, function)
    made, networks = layer.made, layer.networks
    if made is not None and ELSEWHERE.search(text_of(made.func)):
        return False
    called = function.module.names.called(made) if made is not None else None
    if made is not None and called == "torch.nn.Sequential":
        return text_of(made).count("Linear") > 1 and not networks
    if called == OUTSIDE:
        return True
    if len(networks) != 1 or (made is not None and _holds_networks(made)):
        return False
    return all(not _adds_its_input(project, one) for one in networks)


def _is_plain_helper(call: ast.Call, function: Function) -> bool:
    """Whether a method of the class runs layers of torch's alone, and does not add its input."""
    owner, name = function.owner, self_attribute(call.func)
    node = owner.methods.get(name) if owner is not None and name else None
    if owner is None or node is None or not parameters(node):
        return False
    helper = Function(function.module, node, node.name, owner, method=True, outer=None)
    if len(helper.returned) != 1 or any(_is_sum_with(one, helper) for one in own_nodes(node)):
        return False
    names = {own for one in calls_below(node) if (own := self_attribute(one.func)) is not None}
    made = [owner.attributes.get(one, []) for one in names]
    called = function.module.names.called
    return bool(made) and all(
        values and all((called(one) or "").startswith("torch.nn.") for one in values)
        for values in made
    )


def _maker(info: ClassInfo, name: str) -> ast.Call | None:
    """The one call that makes `self.NAME` in the class itself, by itself or beside others."""
    found: list[ast.expr] = []
    for method in info.methods.values():
        for node in own_statements(method):
            targets = node.targets if isinstance(node, ast.Assign) else []
            for target in targets:
                parts = unpack(target, node.value) if isinstance(node, ast.Assign) else ()
                found += [one.value for one in parts if self_attribute(one.target) == name]
    made = found[0] if len(found) == 1 else None
    return made if isinstance(made, ast.Call) else None


def _holds_networks(made: ast.Call) -> bool:
    """Whether a constructor is handed what another one made: `Residual(Attention(...))`."""
    given = [*made.args, *(one.value for one in made.keywords)]
    return any(True for one in given for _ in calls_below(one))


def _adds_its_input(project: Project, info: ClassInfo, depth: int = 0) -> bool:
    """Whether a sublayer's class adds what it was given to what it makes, or may do so."""
    if carries(info) or depth > DEEPEST:
        return True
    attributes = attributes_of(project, info)
    forward = attributes.methods.get("forward")
    if forward is None or not parameters(forward.node):
        return True
    if any(_is_sum_with(node, forward) for node in own_nodes(forward.node)):
        return True
    names = {
        name
        for node in calls_below(forward.node)
        if (name := self_attribute(node.func)) is not None
    }
    inner = {one for name in names for one in attributes.classes(name)}
    return any(_adds_its_input(project, one, depth + 1) for one in inner if one is not info)


def _is_sum_with(node: ast.AST, forward: Function) -> bool:
    """Whether a node is a sum in which the first argument of a forward stands by itself."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides: list[ast.expr] = [node.left, node.right]
    elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        sides = [node.target, node.value]
    elif isinstance(node, ast.Call) and text_of(node.func).rpartition(".")[2] in ("add", "add_"):
        sides = [*node.args, node.func]
    else:
        return False
    first = parameters(forward.node)[0].arg
    return any(_is_given(inner, first, forward) for side in sides for inner in _bare(side))


def _bare(side: ast.expr) -> Iterator[ast.Name]:
    """The names in a side of a sum that are not handed to a call of a layer."""
    called = {
        id(inner) for one in calls_below(side) for arg in one.args for inner in every_node(arg)
    }
    yield from (
        one for one in every_node(side) if isinstance(one, ast.Name) and id(one) not in called
    )


def _is_given(name: ast.Name, first: str, forward: Function, depth: int = 0) -> bool:
    """Whether a name holds what the forward was given, under this name or another."""
    if depth > DEEPEST:
        return True
    for binding in forward.reaching(name):
        if binding.role is Role.ARGUMENT and binding.name == first:
            return True
        value = binding.value if binding.role is Role.WHOLE else None
        if value is not None and any(
            _is_given(one, first, forward, depth + 1) for one in _bare(value)
        ):
            return True
    return False


def _added_outside(project: Project, function: Function) -> bool:
    """Whether who calls the block adds its result to something."""
    for site in callers(project, function):
        for node in own_nodes(site.function.node):
            plus = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Add)
            if plus and any(inner is site.node for inner in every_node(node)):
                return True
    return False
