"""One parameter that takes the whole batch: a mapping, an object or a tuple of inputs."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn

from gptdoctor.specimen.reads import classes_in
from gptdoctor.specimen.roles import Slot, holds_inputs, kind_of


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The parameter that holds all inputs, and how: "mapping", "object" or "tuple"."""

    parameter: str
    how: str

    def held(self, inputs: Mapping[str, Any]) -> Any:
        """The inputs in one value, as the entry takes them."""
        if self.how == "object":
            return SimpleNamespace(**inputs)
        return tuple(inputs.values()) if self.how == "tuple" else dict(inputs)

    def code(self, codes: Mapping[str, str]) -> str:
        """The code of that value."""
        if self.how == "tuple":
            return f"{self.parameter}=({', '.join(codes.values())}{',' if len(codes) == 1 else ''})"
        if self.how == "object":
            inner = ", ".join(f"{name}={code}" for name, code in codes.items())
            return f"{self.parameter}=SimpleNamespace({inner})"
        inner = ", ".join(f"{name!r}: {code}" for name, code in codes.items())
        return f"{self.parameter}={{{inner}}}"


def holder_of(model: nn.Module, entry: str) -> tuple[Holder, tuple[Slot, ...]] | None:
    """The one parameter of `entry` that holds inputs, and a slot for each of them.

    None: it has other parameters that must be given, or does not show what it takes out.
    """
    parameters = inspect.signature(getattr(model, entry)).parameters.values()
    required = [one for one in parameters if one.default is one.empty]
    loose = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    if len(required) != 1 or required[0].kind in loose:
        return None
    name, annotation = required[0].name, required[0].annotation
    text = annotation if isinstance(annotation, str) else str(annotation)
    function = _definition(type(model), entry)
    if function is None or not holds_inputs(name, text):
        return None
    for how, taken in (("tuple", _unpacked), ("mapping", _keys), ("object", _attributes)):
        slots = tuple(_slots(taken, function, name))
        if slots:
            return Holder(parameter=name, how=how), _with_ids(slots)
    return None


def _definition(kind: type, entry: str) -> ast.FunctionDef | None:
    """The text of the method `entry`, of the first class that has one."""
    for base in kind.__mro__:
        module = sys.modules.get(base.__module__)
        if module is None or entry not in vars(base):
            continue
        for statement in classes_in([module], frozenset({base.__name__})):
            for item in statement.body:
                if isinstance(item, ast.FunctionDef) and item.name == entry:
                    return item
        return None
    return None


# Names of what is taken out of a holder, and whether it has to be there.
_Taken = Iterator[tuple[str, bool]]


def _slots(
    taken: Callable[[ast.FunctionDef, str], _Taken], function: ast.FunctionDef, name: str
) -> Iterator[Slot]:
    found: dict[str, bool] = {}
    for key, required in taken(function, name):
        found[key] = found.get(key, True) and required
    for key, required in found.items():
        yield Slot(name=key, kind=kind_of(key), required=required, annotation="")


def _with_ids(slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
    """The slots, the first of which are the ids where no name tells it."""
    if any(slot.kind == "ids" for slot in slots):
        return slots
    return (Slot(**{**vars(slots[0]), "kind": "ids"}), *slots[1:])


def _unpacked(function: ast.FunctionDef, name: str) -> _Taken:
    """`ids, targets = batch`."""
    for node in ast.walk(function):
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(target, ast.Tuple) and _is(getattr(node, "value", None), name):
            yield from ((one.id, True) for one in target.elts if isinstance(one, ast.Name))
            return


def _keys(function: ast.FunctionDef, name: str) -> _Taken:
    """`batch["input_ids"]`, `batch.get("labels")`, `"labels" in batch`."""
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript) and _is(node.value, name):
            yield from ((key, True) for key in _text(node.slice))
        elif isinstance(node, ast.Compare) and _is(node.comparators[0], name):
            yield from ((key, False) for key in _text(node.left))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            asked = node.func.attr in ("get", "pop") and _is(node.func.value, name)
            yield from ((key, False) for one in node.args[:asked] for key in _text(one))


def _attributes(function: ast.FunctionDef, name: str) -> _Taken:
    """`batch.input_ids`, `getattr(batch, "labels", None)`."""
    called = {id(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and _is(node.value, name) and id(node) not in called:
            if not hasattr(Tensor, node.attr):  # `data.shape` is asked of a tensor itself
                yield node.attr, True
        elif isinstance(node, ast.Call) and len(node.args) > 1 and _is(node.args[0], name):
            yield from ((key, False) for key in _text(node.args[1]))


def _is(node: ast.AST | None, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _text(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
