"""Which tokens a model is given as labels: the next ones already, or those that it reads."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_calls import CallSite
from gptdoctor.source.flow_functions import Function, functions_of, script_of
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.kept import kept
from gptdoctor.source.known_networks import network_at
from gptdoctor.source.loss_calls import LossCall
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import every_node, scope_inner_nodes
from gptdoctor.source.project import Project
from gptdoctor.source.value_ways import SHAPING, operation, shaped_from, ways_of

SEVERAL = 2  # inputs and labels
Cut = tuple[str, str]  # what is sliced, and from where on
_NETWORKS = frozenset({"model", "net", "network"})


@dataclass(frozen=True, eq=False)
class GivenLabels:
    """How all in a file that calls a model gives it its labels."""

    ahead: int  # 1: the next tokens; 0: the very tokens that it reads
    place: ast.expr  # where the first of them are given


def labels_given(loss: LossCall, labels: str, project: Project) -> GivenLabels | None:
    """What the calls of the model that a loss belongs to give it; None where they differ.

    `labels` is the argument of the method that computes the loss, which the model itself runs.
    """
    function, module = loss.function, loss.function.module
    owner = function.owner
    if owner is None or function.name != "forward" or labels not in function.parameter_names[1:]:
        return None
    if not _is_in_use(owner, project):
        return None
    pairs = [
        (*given, where)
        for call, where in _calls(module, project)
        if (given := _pair(call, function, labels)) is not None
        and network_at(call.func, where, project) is owner
    ]
    ahead = {_ahead(inputs, given, where, project) for inputs, given, where in pairs}
    known = ahead.pop() if len(ahead) == 1 else None
    return None if known is None else GivenLabels(known, pairs[0][1])


def _is_in_use(owner: ClassInfo, project: Project) -> bool:
    """Whether a file may call a network of its own: it makes one, or a function is given one."""
    module = owner.module
    if module.text.count(f"{owner.name}(") >= SEVERAL:  # the definition is one of them
        return True
    return _takes_network(module, project)


@kept(4)
def _takes_network(module: SourceModule, project: Project) -> bool:
    """Whether a function of a file is given what is called as a network is."""
    functions = functions_of(project, module).values()
    return any(not _NETWORKS.isdisjoint(one.parameter_names) for one in functions)


@kept(4)  # a file with one loss has several
def _calls(module: SourceModule, project: Project) -> tuple[tuple[ast.Call, Function], ...]:
    """The calls of a file that may be of a network, as `network_at` knows one."""
    return tuple(
        (node, function)
        for function in (*functions_of(project, module).values(), script_of(module))
        for node in scope_inner_nodes(function.node)
        if isinstance(node, ast.Call) and len(node.args) + len(node.keywords) >= SEVERAL
        if not isinstance(node.func, ast.Attribute) or self_attribute(node.func)
    )


def _pair(call: ast.Call, callee: Function, labels: str) -> tuple[ast.expr, ast.expr] | None:
    """What a call gives as its inputs and its labels."""
    site = CallSite(callee, call, handed_on=False)
    inputs = site.argument(callee, callee.parameter_names[0])
    given = site.argument(callee, labels)
    return None if inputs is None or given is None else (inputs, given)


def _ahead(inputs: ast.expr, labels: ast.expr, function: Function, project: Project) -> int | None:
    """How far labels are ahead of inputs: sliced so here, or where both are made."""
    if text_of(inputs) == text_of(labels):
        return 0
    ahead = _between(_slice_of(inputs, function), _slice_of(labels, function))
    if ahead is not None:
        return ahead
    one, other = _unpacked(inputs, function), _unpacked(labels, function)
    if one is None or other is None or one.value is not other.value or one is other:
        return None
    return made_ahead(project, function.module)


def _unpacked(value: ast.expr, function: Function) -> Binding | None:
    """The binding that took a value out of a pair, whatever device it went to since."""
    ways = ways_of(value, function, shaped_from)
    binding = ways[0].binding if len(ways) == 1 else None
    taken = binding is not None and binding.role in (Role.ITEM, Role.ELEMENT)
    return binding if taken else None


@kept(16)
def made_ahead(project: Project, module: SourceModule) -> int | None:
    """How far the second of two slices is ahead, in all pairs that functions of a file return."""
    pairs = [
        [_slice_of(one, function) for one in value.elts]
        for function in functions_of(project, module).values()
        for value in function.returned
        if isinstance(value, ast.Tuple) and len(value.elts) == SEVERAL
    ]
    found = {_between(*one) for one in pairs if None not in one}
    return found.pop() if len(found) == 1 else None


def _slice_of(value: ast.expr, function: Function) -> Cut | None:
    """The one slice that a value is made of, by all its ways."""
    ways = ways_of(value, function, _moved_from)
    found = {_slices(one.source) for one in ways if one.source is not None}
    cuts = found.pop() if len(found) == 1 and ways else ()
    return cuts[0] if len(cuts) == 1 else None


def _moved_from(value: ast.expr, function: Function) -> list[ast.expr]:
    """Back through moves and types, up to the slice."""
    made = operation(value, function)
    return [made[1]] if made is not None and made[0] in SHAPING | {"pin_memory"} else []


def _slices(value: ast.expr) -> tuple[Cut, ...]:
    """What is sliced in a value, and from where on: in its last dimension."""
    found: list[Cut] = []
    for node in every_node(value):
        if isinstance(node, ast.Subscript):
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if parts and isinstance(parts[-1], ast.Slice):
                lower = parts[-1].lower
                found.append((text_of(node.value), "0" if lower is None else text_of(lower)))
    return tuple(found)


def _between(inputs: Cut | None, labels: Cut | None) -> int | None:
    """How much later one slice of what both are slices of begins than the other: 0, 1 or None."""
    if inputs is None or labels is None or inputs[0] != labels[0]:
        return None
    first, second = inputs[1], labels[1]
    if second in (f"{first} + 1", f"1 + {first}") or (first, second) == ("0", "1"):
        return 1
    return 0 if first == second else None
