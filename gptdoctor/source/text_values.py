"""Values that are written down: numbers, infinities, and what plain names and attributes hold."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable

from gptdoctor.source.classes import ClassInfo, self_assignments, self_attribute
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.kept import kept
from gptdoctor.source.literals import written_text
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import calls_below
from gptdoctor.source.project import Project
from gptdoctor.source.unparsed import bases_saying

Kept = tuple[ast.expr, Function]  # a value, and the method that sets it
INFINITIES = frozenset(
    {"math.inf", "torch.inf", "numpy.inf", "math.huge", "numpy.Inf", "numpy.infty"}
)
_LIKE = {"zeros_like": 0.0, "ones_like": 1.0}
DEEPEST = 6  # names followed one after another; longer chains are loops
_WORK: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}


def bound_to(name: ast.Name, function: Function) -> ast.expr | None:
    """The one expression that a name stands for where it is read, or None."""
    found = function.reaching(name)
    one = found[0] if len(found) == 1 else None
    return one.value if one is not None and one.role is Role.WHOLE else None


def kept_in(project: Project, function: Function, attribute: str) -> Kept | None:
    """The one expression that `self.ATTRIBUTE` is set to in the class and its bases, or None."""
    if function.owner is None:
        return None
    found = _settings(project, function.owner, attribute)
    return found[0] if len(found) == 1 else None


@kept(256)
def _settings(project: Project, info: ClassInfo, attribute: str) -> list[Kept]:
    """What a class and its bases assign to an attribute, or register as a buffer of its name."""
    found: list[Kept] = []
    sought = ("register_buffer", attribute) if attribute.isascii() else ("",)
    for link in (info, *bases_saying(project, info, *sought)):
        registers = "register_buffer" in link.text
        if not registers and not _says(link.text, attribute):
            continue  # as most bases do, which are large
        for method in link.methods.values():
            lines = link.module.lines_of(method)
            pairs = [*self_assignments(method)] if _says(lines, attribute) else []
            if registers and "register_buffer" in lines:
                pairs += _buffers(method)
            values = [value for name, value in pairs if name == attribute]
            if values:
                setting = functions_of(project, link.module)[method]
                found.extend((value, setting) for value in values)
    return found


def _says(text: str, name: str) -> bool:
    """Whether a text says a name; Python reads some letters as others."""
    return name in text or not name.isascii()


def _buffers(method: ast.AST) -> list[tuple[str, ast.expr]]:
    """`self.register_buffer("NAME", value)`."""
    found: list[tuple[str, ast.expr]] = []
    for node in calls_below(method):
        if self_attribute(node.func) != "register_buffer":
            continue
        named = {one.arg: one.value for one in node.keywords}
        name = written_text(node.args[0] if node.args else named.get("name"))
        value = node.args[1] if len(node.args) > 1 else named.get("tensor")
        if name is not None and value is not None:
            found.append((name, value))
    return found


def number_of(value: ast.expr | None, function: Function, depth: int = 0) -> float | None:
    """The number that an expression is, as far as it is written down; minus infinity included."""
    if value is None or depth > DEEPEST:
        return None
    if isinstance(value, ast.Constant):
        if isinstance(value.value, bool) or not isinstance(value.value, int | float):
            return None
        return float(value.value)
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub | ast.UAdd):
        inner = number_of(value.operand, function, depth + 1)
        if inner is None:
            return None
        return -inner if isinstance(value.op, ast.USub) else inner
    if isinstance(value, ast.BinOp):
        return _computed(value, function, depth)
    if isinstance(value, ast.Name):
        bound = bound_to(value, function) or _constant(value, function)
        if bound is not None:
            return number_of(bound, function, depth + 1)
    if isinstance(value, ast.Call):
        return _called(value, function, depth)
    return _named(value, function)


def number_throughout(value: ast.expr, function: Function) -> float | None:
    """The number that a value is, or that a tensor made like another one holds everywhere."""
    if isinstance(value, ast.Name):
        bound = bound_to(value, function)
        value = bound if isinstance(bound, ast.Call) else value
    if isinstance(value, ast.Call) and value.args:
        name = called_name(value)
        given = value.args[1] if len(value.args) > 1 else None
        if name in _LIKE:
            return _LIKE[name]
        if name == "full_like":
            named = (one.value for one in value.keywords if one.arg == "fill_value")
            return number_of(given or next(named, None), function)
    return number_of(value, function)


def _named(value: ast.expr, function: Function) -> float | None:
    """`math.inf`, `torch.finfo(x.dtype).min`."""
    if isinstance(value, ast.Attribute) and value.attr in ("min", "max"):
        called = function.module.names.called(value.value)
        if called in ("torch.finfo", "numpy.finfo"):
            return -math.inf if value.attr == "min" else math.inf
    own = self_attribute(value)
    if own is not None and function.owner is not None:
        return number_of(_of_class(function.owner, own), function)
    return math.inf if function.module.names.qualified(value) in INFINITIES else None


def _constant(name: ast.Name, function: Function) -> ast.expr | None:
    """What the module binds a name to, once and for all, that the function does not bind."""
    made = _written_once(function.module.tree).get(name.id)
    return None if made is None or function.reaching(name) else made


def _of_class(owner: ClassInfo, name: str) -> ast.expr | None:
    """What the body of a class sets an attribute to that no method sets."""
    made = _written_once(owner.node).get(name)
    return None if made is None or name in owner.attributes else made


@kept(64)
def _written_once(scope: ast.Module | ast.ClassDef) -> dict[str, ast.expr]:
    """The numbers that the statements of a module or class itself bind names to, each once."""
    found: dict[str, list[ast.expr]] = {}
    for statement in scope.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        value = getattr(statement, "value", None)
        for target in targets:
            if isinstance(target, ast.Name) and value is not None:
                found.setdefault(target.id, []).append(value)
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def _called(call: ast.Call, function: Function, depth: int) -> float | None:
    """`float("-inf")`, `float("-1e9")`, `torch.tensor(-1e9)`."""
    called = function.module.names.called(call)
    first = call.args[0] if call.args else None
    text = written_text(first) if called == "float" else None
    if text is not None:
        return _spelled(text)
    if called in ("float", "int", "torch.tensor", "torch.as_tensor", "torch.scalar_tensor"):
        return number_of(first, function, depth + 1)
    return None


def _spelled(text: str) -> float | None:
    """The number that `float` reads in a text; NaN is none."""
    try:
        found = float(text)
    except ValueError:
        return None
    return None if math.isnan(found) else found


def _computed(value: ast.BinOp, function: Function, depth: int) -> float | None:
    left = number_of(value.left, function, depth + 1)
    right = number_of(value.right, function, depth + 1)
    work = _WORK.get(type(value.op))
    if left is None or right is None or work is None:
        return None
    try:
        return work(left, right)
    except (ArithmeticError, ValueError):
        return None
