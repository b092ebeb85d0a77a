"""Where a sampling temperature enters an expression, followed back through names and helpers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from gptdoctor.source.callees import callee_of
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.project import Project

NAME = re.compile(r"(^|_)(temperatures?|temps?|tau)(_|$)", re.IGNORECASE)
# Scalars keep their meaning through these: max(temperature, 1e-5), kwargs.get("temperature", 1.0).
SCALAR_CALLS = frozenset(
    {"max", "min", "float", "abs", "tensor", "as_tensor", "clamp", "clip", "get", "getattr", "pop"}
)
# Whatever is drawn from a random source: with it, an argmax samples (the Gumbel trick and others).
RANDOM = re.compile(
    r"multinomial|categorical|gumbel|exponential_|bernoulli|uniform_|normal_|dirichlet"
    r"|^r?sample|sample$|^rand|^choices?$|^uniform$|^normal$|^exponential$|^poisson"
)
# Calls of functions that are not in sight, and yet keep the order of what they are given.
FILTER = re.compile(r"top_?[kp]|nucleus|filter|penal|mask|warp|ban|suppress|process", re.IGNORECASE)
PROBABILITIES = frozenset({"softmax", "exp", "sigmoid"})
LOGARITHMS = frozenset({"log_softmax", "log", "log1p", "logit"})
# What these give no longer has the order of what they were given.
CHOICES = frozenset({"argmax", "argmin", "argsort", "embedding", "gather", "one_hot", "eq"})
# A temperature inside the model's own forward pass is none of the caller's.
MODEL_CALLS = frozenset({"forward", "__call__"})
# Longer chains of names and helpers are loops, or no business of one function any more.
DEEPEST = 30
DEEPEST_HELPER = 3


class Sign(Enum):
    """What is met on the way from a chosen token back to the logits."""

    TEMPERATURE = "temperature"
    NOISE = "noise"
    PROBABILITIES = "probabilities"
    LOGARITHM = "logarithm"
    GIVEN = "given"  # a parameter of a function whose caller is not looked at


@dataclass(frozen=True)
class Met:
    """One sign on the way, nearest to the choice first, and the name of a temperature."""

    sign: Sign
    name: str = ""


@dataclass(frozen=True, eq=False)
class Frame:
    """A function, seen from the call that it answers, so that arguments can be followed."""

    project: Project
    function: Function
    call: ast.Call | None = None
    caller: Frame | None = None
    seen: set[Binding] = field(default_factory=set)

    @property
    def depth(self) -> int:
        """How many calls lie above."""
        return self.caller.depth + 1 if self.caller else 0

    def argument(self, name: str) -> ast.expr | None:
        """What the call gives for a parameter."""
        if self.call is None:
            return None
        for keyword in self.call.keywords:
            if keyword.arg == name:
                return keyword.value
        names = self.function.parameter_names
        index = names.index(name) if name in names else len(self.call.args)
        return self.call.args[index] if index < len(self.call.args) else None

    def entering(self, call: ast.Call) -> Frame | None:
        """The project's function that `call` calls, seen from here."""
        callee = callee_of(self.project, self.function, call)
        if callee is None or self.depth >= DEEPEST_HELPER:
            return None
        return Frame(self.project, callee, call, self)


def met(value: ast.expr, frame: Frame, depth: int = 0) -> Iterator[Met]:
    """What a value went through, from the outside in; each binding is followed once."""
    if depth > DEEPEST:
        return
    if isinstance(value, ast.Name):
        yield from _met_by_name(value, frame, depth)
    elif isinstance(value, ast.BinOp):
        yield from _met_by_operator(value, frame, depth)
    elif isinstance(value, ast.Call):
        yield from _met_by_call(value, frame, depth)
    elif isinstance(value, ast.Attribute | ast.Subscript | ast.Starred | ast.NamedExpr):
        if not _is_foreign(value):
            yield from met(value.value, frame, depth + 1)
    elif isinstance(value, ast.IfExp):
        yield from _met_by_all([value.body, value.orelse], frame, depth)
    elif isinstance(value, ast.Tuple | ast.List):
        yield from _met_by_all(value.elts, frame, depth)
    elif isinstance(value, ast.UnaryOp):
        yield from met(value.operand, frame, depth + 1)


def _is_foreign(value: ast.expr) -> bool:
    """Whether a value is an attribute of an object, such as `self.head`, and not of a tensor."""
    if not isinstance(value, ast.Attribute) or not isinstance(value.value, ast.Name):
        return False
    return value.attr not in ("values", "logits", "data", "mT")


def _met_by_all(values: list[ast.expr], frame: Frame, depth: int) -> Iterator[Met]:
    for value in values:
        yield from met(value, frame, depth + 1)


def _met_by_name(name: ast.Name, frame: Frame, depth: int) -> Iterator[Met]:
    for binding in frame.function.reaching(name):
        if binding in frame.seen:
            continue
        frame.seen.add(binding)
        if binding.role is Role.ARGUMENT:
            given = frame.argument(binding.name)
            if given is not None and frame.caller is not None:
                yield from met(given, frame.caller, depth + 1)
            elif frame.caller is None:
                yield Met(Sign.GIVEN, binding.name)
        elif binding.value is not None and binding.role is not Role.COUNTER:
            if binding.role is Role.CHANGED:
                temperature = temperature_in(binding.value, frame)
                if temperature:
                    yield Met(Sign.TEMPERATURE, temperature)
            yield from met(binding.value, frame, depth + 1)


def _met_by_operator(value: ast.BinOp, frame: Frame, depth: int) -> Iterator[Met]:
    if isinstance(value.op, ast.Div | ast.Mult):
        temperature = temperature_in(value.right, frame)
        if temperature is None and isinstance(value.op, ast.Mult):
            temperature = temperature_in(value.left, frame)
        if temperature:
            yield Met(Sign.TEMPERATURE, temperature)
    yield from _met_by_all([value.left, value.right], frame, depth)


def _met_by_call(call: ast.Call, frame: Frame, depth: int) -> Iterator[Met]:
    name = last_name(call.func)
    if RANDOM.search(name):
        yield Met(Sign.NOISE)
        return
    if name in CHOICES or name in MODEL_CALLS:
        return
    inner = frame.entering(call)
    if inner is not None:
        if any(draws(one) for one in own_nodes(inner.function.node)):
            yield Met(Sign.NOISE)
        yield from _met_by_all(inner.function.returned, inner, depth)
        return
    if name in PROBABILITIES:
        yield Met(Sign.PROBABILITIES)
    elif name in LOGARITHMS:
        yield Met(Sign.LOGARITHM)
    yield from _met_by_outside_call(call, name, frame, depth)


def _met_by_outside_call(call: ast.Call, name: str, frame: Frame, depth: int) -> Iterator[Met]:
    """A call of torch's, a method of a tensor, or a filter by its name."""
    qualified = frame.function.module.names.called(call) or ""
    function = qualified.startswith(("torch.", "numpy."))
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    if isinstance(call.func, ast.Attribute) and not function and qualified[:5] != "self.":
        values.insert(0, call.func.value)
    elif not function and not FILTER.search(name):
        return
    if name.rstrip("_") in ("div", "mul", "true_divide", "divide", "multiply"):
        for value in values[1:]:
            temperature = temperature_in(value, frame)
            if temperature:
                yield Met(Sign.TEMPERATURE, temperature)
    yield from _met_by_all(values, frame, depth)


def draws(node: ast.AST) -> bool:
    """Whether a node calls a source of random numbers."""
    return isinstance(node, ast.Call) and bool(RANDOM.search(last_name(node.func)))


def temperature_in(value: ast.expr, frame: Frame, depth: int = 0) -> str | None:
    """The name of the temperature that a scalar is made of, or None."""
    if depth > DEEPEST:
        return None
    if isinstance(value, ast.Name):
        return _temperature_of_name(value, frame, depth)
    if isinstance(value, ast.Attribute):
        return value.attr if NAME.search(value.attr) else None
    if isinstance(value, ast.Constant):  # a key: kwargs["temperature"]
        return value.value if isinstance(value.value, str) and NAME.search(value.value) else None
    for part in _scalar_parts(value):
        found = temperature_in(part, frame, depth + 1)
        if found:
            return found
    return None


def _scalar_parts(value: ast.expr) -> list[ast.expr]:
    """The parts of an expression that a scalar may come from."""
    if isinstance(value, ast.BinOp):
        return [value.left, value.right]
    if isinstance(value, ast.UnaryOp):
        return [value.operand]
    if isinstance(value, ast.IfExp):
        return [value.body, value.orelse]
    if isinstance(value, ast.BoolOp):
        return value.values
    if isinstance(value, ast.Subscript):
        return [value.slice, value.value]
    if isinstance(value, ast.Call) and last_name(value.func) in SCALAR_CALLS:
        receiver = [value.func.value] if isinstance(value.func, ast.Attribute) else []
        return [*value.args, *receiver]
    return []


def _temperature_of_name(name: ast.Name, frame: Frame, depth: int) -> str | None:
    bindings = frame.function.reaching(name)
    if not bindings:
        return name.id if name.id.isupper() and NAME.search(name.id) else None
    for binding in bindings:
        found = _temperature_of_binding(binding, frame, depth)
        if found:
            return found
    return None


def _temperature_of_binding(binding: Binding, frame: Frame, depth: int) -> str | None:
    named = bool(NAME.search(binding.name))
    value = binding.value
    if binding.role is Role.ARGUMENT:
        if named or binding.name == "T":
            return binding.name
        given = frame.argument(binding.name)
        caller = frame.caller
        return temperature_in(given, caller, depth + 1) if given is not None and caller else None
    if binding.role is not Role.WHOLE or value is None:
        return binding.name if named and binding.role in (Role.ELEMENT, Role.COUNTER) else None
    # "temp" is a short name for anything temporary: only a plain number makes it a temperature.
    number = isinstance(value, ast.Constant) and isinstance(value.value, int | float)
    if (named and number) or "temperature" in binding.name.lower():
        return binding.name
    return temperature_in(value, frame, depth + 1)


def last_name(function: ast.expr) -> str:
    """`softmax` of `torch.softmax`, `F.softmax` and `x.softmax`."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
