"""Labels that are the next tokens already when a model is given them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes, script_of
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.kept import kept
from gptdoctor.source.known_networks import network_at
from gptdoctor.source.loss_calls import LossCall
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.value_ways import SHAPING, operation, shaped_from, ways_of

SEVERAL = 2  # inputs and labels
Cut = tuple[str, str]  # what is sliced, and from where on


def given_next_tokens(loss: LossCall, labels: str, project: Project) -> bool:
    """Whether all in the file that calls the model of a loss gives it the next tokens as labels.

    `labels` is the argument of the method that computes the loss, which the model itself runs.
    """
    function, module = loss.function, loss.function.module
    if function.owner is None or labels not in function.parameter_names:
        return False
    index = function.parameter_names.index(labels)
    if not index or function.name != "forward" or not _steps_on(module.text):
        return False
    found = [
        _is_shifted(given[0], given[1], where, project)
        for call, where in _calls(module, project)
        if (given := _pair(call, labels, index)) is not None
        and network_at(call.func, where, project) is function.owner
    ]
    return bool(found) and all(found)


def _steps_on(text: str) -> bool:
    """Whether a slice may begin one later than another: no pair is made without."""
    return any(map(text.replace(" ", "").__contains__, ("+1:", "[1:", ",1:")))


def _calls(module: SourceModule, project: Project) -> Iterator[tuple[ast.Call, Function]]:
    for function in (*functions_of(project, module).values(), script_of(module)):
        for node in own_nodes(function.node):
            if isinstance(node, ast.Call):
                yield node, function


def _pair(call: ast.Call, labels: str, index: int) -> tuple[ast.expr, ast.expr] | None:
    """What a call gives as its inputs and its labels."""
    named = {one.arg: one.value for one in call.keywords}
    given = named.get(labels) or (call.args[index] if len(call.args) > index else None)
    return (call.args[0], given) if call.args and given is not None else None


def _is_shifted(inputs: ast.expr, labels: ast.expr, function: Function, project: Project) -> bool:
    """Whether labels are the tokens behind the inputs: sliced so here, or where both are made."""
    if _follows(_slice_of(inputs, function), _slice_of(labels, function)):
        return True
    one, other = _unpacked(inputs, function), _unpacked(labels, function)
    if one is None or other is None or one.value is not other.value:
        return False
    return makes_next_tokens(project, function.module)


def _unpacked(value: ast.expr, function: Function) -> Binding | None:
    """The binding that took a value out of a pair, whatever device it went to since."""
    ways = ways_of(value, function, shaped_from)
    binding = ways[0].binding if len(ways) == 1 else None
    taken = binding is not None and binding.role in (Role.ITEM, Role.ELEMENT)
    return binding if taken else None


@kept(16)
def makes_next_tokens(project: Project, module: SourceModule) -> bool:
    """Whether all pairs of slices that functions of a file return are tokens and the next ones."""
    pairs = [
        [_slice_of(one, function) for one in value.elts]
        for function in functions_of(project, module).values()
        for value in function.returned
        if isinstance(value, ast.Tuple) and len(value.elts) == SEVERAL
    ]
    sliced = [one for one in pairs if None not in one]
    return bool(sliced) and all(_follows(*one) for one in sliced)


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


def _follows(inputs: Cut | None, labels: Cut | None) -> bool:
    """Whether one slice of what both are slices of begins one later than the other."""
    if inputs is None or labels is None or inputs[0] != labels[0]:
        return False
    first, second = inputs[1], labels[1]
    return second in (f"{first} + 1", f"1 + {first}") or (first, second) == ("0", "1")
