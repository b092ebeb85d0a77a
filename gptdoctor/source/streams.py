"""The stream of a block's forward: how each value came of the input, and what was added to it.

Read is a straight line of statements alone.  Branches, loops and whatever is not understood leave
a value whose way from the input is not known.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from gptdoctor.source.classes import parameters, self_attribute
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.nodes import every_node

_PLAIN = frozenset(
    {ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Expr, ast.Assert, ast.Pass}
)
# Give what they are given, for the way from the input to the output.
PASSING = frozenset(
    {"contiguous", "to", "float", "half", "type_as", "clone", "type", "bfloat16", "dropout"}
    | {"layer_norm", "rms_norm", "gelu", "relu", "silu"}
)


class Came(Enum):
    """How a value came about."""

    INPUT = "the block's input"
    BESIDE = "of nothing that came from the input, or of no more than a sublayer tells beside"
    CHAIN = "of one value, by calls of layers"
    SUM = "by adding to a value what was made of it"
    ELSE = "in a way that is not followed"


@dataclass(frozen=True, eq=False)
class Value:
    """One value of a forward; the same under all its names."""

    came: Came
    base: Value | None = None  # of a chain what it was made of, of a sum what was added to
    added: Value | None = None  # of a sum
    call: ast.Call | None = None  # of a layer in self, which makes a chain

    @property
    def steps(self) -> Iterator[Value]:
        """Itself and what it came of, back to the input or to where it is lost."""
        value: Value | None = self
        while value is not None:
            yield value
            value = value.base


BESIDE, LOST = Value(Came.BESIDE), Value(Came.ELSE)


def adds(body: list[ast.stmt]) -> bool:
    """Whether one of some statements adds something."""
    return any(map(_adds, body))


def is_plain(statement: ast.AST) -> bool:
    """Whether a statement is one of those that are read."""
    return statement.__class__ in _PLAIN


def layer_name(called: ast.expr, layers: frozenset[str] = frozenset()) -> str | None:
    """NAME of `self.NAME`, `self.NAME[i]`, and of `NAME` and `block.NAME` among local layers."""
    if isinstance(called, ast.Name):
        return called.id if called.id in layers else None
    if isinstance(called, ast.Subscript):
        return self_attribute(called.value)
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        own = called.value.id == "self" or called.value.id in layers
        return called.attr if own else None
    return None


def is_straight(node: ast.FunctionDef) -> bool:
    """Whether a function is a straight line of statements, of which one adds something."""
    if node.body[-1].__class__ is not ast.Return:
        return False
    if not _PLAIN.issuperset(map(type, node.body)):
        return False  # as most, which have a branch or a loop
    return any(map(_adds, node.body))


def _adds(statement: ast.stmt) -> bool:
    if statement.__class__ is ast.AugAssign:
        return True
    value = getattr(statement, "value", None)
    if value.__class__ is ast.BinOp:
        return True
    inside = value.args if isinstance(value, ast.Call) else getattr(value, "elts", ())
    return any(one.__class__ is ast.BinOp for one in inside)


def stream_of(function: Function) -> Value | None:
    """What a forward returns, where it is a straight line of statements; or None."""
    body, given = function.node.body, parameters(function.node)
    if not given or not all(one.__class__ in _PLAIN for one in body):
        return None
    if not isinstance(body[-1], ast.Return) or body[-1].value is None:
        return None
    reading = Reading({given[0].arg: Value(Came.INPUT)})
    for statement in body[:-1]:
        reading.run(statement)
    return reading.result(body[-1].value)


class Reading:
    """Runs over statements, with what each name holds."""

    def __init__(self, names: dict[str, Value], layers: frozenset[str] = frozenset()) -> None:
        """`layers` are the local names that stand for layers, as those of a loop over them."""
        self.names = names
        self.layers = layers

    def run(self, statement: ast.stmt) -> None:
        """Bind what a statement binds."""
        if isinstance(statement, ast.Assign):
            value = self.of(statement.value)
            for target in statement.targets:
                self._bind(target, value)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            self._bind(statement.target, self.of(statement.value))
        elif isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
            held = self.names.get(statement.target.id, BESIDE)
            plus = isinstance(statement.op, ast.Add)
            given = self.of(statement.value)
            scaled = LOST if given is not BESIDE else held
            self.names[statement.target.id] = _sum(held, given) if plus else scaled
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            # `x.add_(y)` and the like change what a name holds.
            called = statement.value.func
            root = called.value if isinstance(called, ast.Attribute) else None
            if isinstance(root, ast.Name) and root.id in self.names:
                self.names[root.id] = LOST

    def _bind(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            # A layer gives the new stream first; weights, losses and caches are told beside.
            single = value.came is Came.CHAIN and value.call is not None
            for number, one in enumerate(target.elts):
                rest = BESIDE if single or value is BESIDE else LOST
                self._bind(one, value if single and not number else rest)

    def result(self, value: ast.expr) -> Value | None:
        """What is returned: the first of several, where the others are told beside."""
        if isinstance(value, ast.Tuple):
            beside = all(self.of(one) is BESIDE for one in value.elts[1:])
            return self.of(value.elts[0]) if value.elts and beside else None
        return self.of(value)

    def of(self, value: ast.expr) -> Value:
        """The value of an expression."""
        if isinstance(value, ast.Name):
            return self.names.get(value.id, BESIDE)
        if isinstance(value, ast.BinOp):
            return self._computed(value)
        if isinstance(value, ast.Call):
            return self._called(value)
        if isinstance(value, ast.Subscript):
            inner = self.of(value.value)
            first = isinstance(value.slice, ast.Constant) and value.slice.value == 0
            return inner if first and inner.call is not None else self._mixed([value])
        return self._mixed([value])

    def _mixed(self, values: list[ast.expr]) -> Value:
        """BESIDE where nothing of the stream is in it; else its way is lost."""
        nodes = (node for value in values for node in every_node(value))
        held = (self.names.get(one.id, BESIDE) for one in nodes if isinstance(one, ast.Name))
        return BESIDE if all(one is BESIDE for one in held) else LOST

    def _computed(self, value: ast.BinOp) -> Value:
        left, right = self.of(value.left), self.of(value.right)
        if isinstance(value.op, ast.Add):
            return _sum(left, right)
        if isinstance(value.op, ast.Mult | ast.Div) and BESIDE in (left, right):
            return right if left is BESIDE else left
        return BESIDE if left is right is BESIDE else LOST

    def _called(self, call: ast.Call) -> Value:
        given = [*call.args, *(one.value for one in call.keywords)]
        method = call.func if isinstance(call.func, ast.Attribute) else None
        own = layer_name(call.func, self.layers)
        passing = method is not None and method.attr in PASSING and own is None
        if passing and method is not None and (held_by := self.of(method.value)) is not BESIDE:
            return held_by
        held = {one for one in map(self.of, given) if one is not BESIDE}
        if own is None and not passing:
            return self._mixed([call])
        if len(held) != 1:
            return LOST if held else BESIDE
        base = held.pop()
        if base is LOST:
            return LOST
        return Value(Came.CHAIN, base=base, call=call) if own is not None else base


def _sum(left: Value, right: Value) -> Value:
    """A sum: of the stream and what was made of it, or of a value and something from outside."""
    if BESIDE in (left, right):
        return right if left is BESIDE else left
    if LOST in (left, right) or left is right:
        return LOST
    for kept, made in ((left, right), (right, left)):
        if kept in made.steps:
            return Value(Came.SUM, base=kept, added=made)
        if kept.came is Came.SUM and kept.base is not None and kept.base in made.steps:
            return Value(Came.SUM, base=kept, added=made)  # sublayers beside each other
    return LOST
