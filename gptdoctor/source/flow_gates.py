"""Gates whose slices are paired with experts, and whether a transpose paired them wrongly."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.flow_axes import AxesReader
from gptdoctor.source.flow_dimensions import Axes
from gptdoctor.source.flow_experts import ExpertLoop
from gptdoctor.source.flow_functions import own_nodes
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.flow_turns import TURNING, number


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A tensor that a loop takes apart along its first dimension, one slice for each expert."""

    axes: Axes
    weight: str  # the text of a slice: "w", "gate.T[i]"
    use: str  # "iterated" or "indexed"


def transposed_gates(loop: ExpertLoop, reader: AxesReader) -> Iterator[Gate]:
    """The gates of a loop that a transpose brought into a wrong order."""
    for gate in _gates(loop, reader):
        if _is_wrong(gate.axes) and not _speaks_against(gate, loop, reader):
            yield gate


def _gates(loop: ExpertLoop, reader: AxesReader) -> Iterator[Gate]:
    for part in loop.parts:
        name = part.target.id if isinstance(part.target, ast.Name) else None
        if part.role is Role.ELEMENT and name and name not in loop.members:
            axes = _iterated(part.value, loop, reader)
            if axes is not None:
                yield Gate(axes=axes, weight=name, use="iterated")
    counters = {
        part.target.id
        for part in loop.parts
        if part.role is Role.COUNTER and isinstance(part.target, ast.Name)
    }
    for node in own_nodes(loop.node) if counters else ():
        if not isinstance(node, ast.Subscript) or _first_name(node.slice) not in counters:
            continue
        axes = reader.of(node.value, loop.function)
        if axes is not None and text_of(node.value) != text_of(loop.experts):
            yield Gate(axes=axes, weight=text_of(node), use="indexed")


def _iterated(value: ast.expr, loop: ExpertLoop, reader: AxesReader) -> Axes | None:
    """The dimensions of what is walked through; `first, *rest = gate.T` counts as walking."""
    if (
        isinstance(value, ast.Call)
        and _unbinds_front(value)
        and isinstance(value.func, ast.Attribute)
    ):
        return reader.of(value.func.value, loop.function)
    if isinstance(value, ast.Name):
        for binding in loop.function.reaching(value):
            if binding.role is Role.REST and binding.value is not None:
                return reader.of(binding.value, loop.function)
    return reader.of(value, loop.function)


def _unbinds_front(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "unbind":
        return False
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return not given or number(given[0]) == 0


def _first_name(index: ast.expr) -> str | None:
    first = index.elts[0] if isinstance(index, ast.Tuple) and index.elts else index
    return first.id if isinstance(first, ast.Name) else None


def _is_wrong(axes: Axes) -> bool:
    """Whether, after a turn, the experts are not in front of all others in their order."""
    if not axes.turns or axes.rank < 3 or axes.experts not in axes.order:
        return False
    others = tuple(sorted(one for one in axes.order if one != axes.experts))
    return axes.order != (axes.experts, *others)


def _speaks_against(gate: Gate, loop: ExpertLoop, reader: AxesReader) -> bool:
    """Whether the rest of the loop says that the order is meant, or the gate has two dimensions."""
    for call in loop.calls:
        inputs = call.args if isinstance(call, ast.Call) else [call.left]
        given = [reader.of(one, loop.function) for one in inputs]
        if any(axes is not None and axes.turns for axes in given):
            return True  # the experts see their input in the same order
    ranks = list(_ranks_of_slice(gate.weight, loop))
    if 0 in ranks:
        return True  # turned back
    if gate.axes.sure:
        return False
    return any(rank + 1 < gate.axes.rank for rank in ranks) or gate.axes.turns[-1].spelling == "t"


def _ranks_of_slice(weight: str, loop: ExpertLoop) -> Iterator[int]:
    """How many dimensions a slice is treated as having; 0 where it is transposed once more."""
    for node in own_nodes(loop.node):
        if isinstance(node, ast.Subscript) and text_of(node.value) == weight:
            places = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
            slices = sum(isinstance(one, ast.Slice) for one in places)
            plain = all(not isinstance(one, ast.Constant) or one.value is None for one in places)
            if slices and plain:
                yield slices
        elif isinstance(node, ast.Attribute) and text_of(node.value) == weight:
            if node.attr in TURNING:
                yield 0
        elif isinstance(node, ast.Call):
            yield from _ranks_of_call(node, weight)


def _ranks_of_call(call: ast.Call, weight: str) -> Iterator[int]:
    method = call.func
    if not isinstance(method, ast.Attribute) or text_of(method.value) != weight:
        return
    first = number(call.args[0]) if call.args else None
    if method.attr == "unsqueeze" and first is not None and first > 0:
        yield first
    elif method.attr in ("view", "reshape") and first == -1 and len(call.args) == 2:
        yield 1
