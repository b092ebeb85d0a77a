"""The calls of a demonstration as expressions for any batch and length, sizes made small."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gptdoctor.specimen.demos import Demo
from gptdoctor.specimen.roles import kind_of

# Functions of torch that make a tensor from its sizes.
_MAKERS = frozenset({"randint", "randn", "rand", "zeros", "ones", "empty", "full", "tensor"})
_OTHER_FUNCTIONS = frozenset({"arange", "tril", "triu", "eye", "ones_like", "zeros_like"})
# Methods of tensors that change the form of the one in hand.
_METHODS = frozenset(
    {"long", "int", "float", "bool", "unsqueeze", "squeeze", "t", "transpose", "expand", "repeat"}
    | {"contiguous", "view", "reshape", "tril", "triu", "flatten", "clone", "detach"}
)
_ELSEWHERE = frozenset({"to", "cuda", "cpu"})


@dataclass(frozen=True)
class _Sizes:
    """B and T of the demonstration's ids, and what became of its other numbers."""

    batch: int
    length: int
    small: Mapping[int, int]

    def code(self, size: int) -> ast.expr:
        """What stands for one size of a tensor."""
        if size == self.length:  # more often unlike all others than the batch
            return ast.Name(id="T", ctx=ast.Load())
        if size == self.batch and size > 1:
            return ast.Name(id="B", ctx=ast.Load())
        return ast.Constant(self.small.get(size, size))


def expressions(demo: Demo, small: Mapping[int, int]) -> Iterator[str]:
    """The calls of a demonstration, as `--call` takes them; none that asks for anything else."""
    found: dict[str, None] = {}
    for call in demo.calls:
        shapes = [(each, _ids_shape(each)) for each in _arguments(call)]
        ids, shape = next(((one, two) for one, two in shapes if two is not None), (None, None))
        if ids is not None and shape is not None:
            changed = _General(_Sizes(*shape, small), call, ids).whole()
            if changed is not None:
                found[ast.unparse(ast.fix_missing_locations(changed))] = None
    yield from found


def _arguments(call: ast.Call) -> Iterator[ast.expr]:
    yield from call.args
    yield from (each.value for each in call.keywords)


def _ids_shape(node: ast.expr) -> tuple[int, int] | None:
    """B and T of whole numbers that an expression makes; None: it makes no such tensor."""
    text = ast.unparse(node)
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and _maker(each) is not None:
            shape = _shape(each)
            whole = _maker(each) in ("randint", "tensor") or any(
                word in text for word in ("long", "int64", "int32", ".int()")
            )
            if whole and len(shape) in (1, 2):
                return (shape[0], shape[1]) if len(shape) == 2 else (1, shape[0])
    return None


def _maker(node: ast.Call) -> str | None:
    called = ast.unparse(node.func)
    name = called.removeprefix("torch.")
    return name if called.startswith("torch.") and name in _MAKERS else None


def _shape(node: ast.Call) -> tuple[int, ...]:
    """The sizes that a call of torch's is given, where they are numbers."""
    if _maker(node) == "tensor":
        return _shape_of_literal(node.args[0]) if node.args else ()
    named = [each.value for each in node.keywords if each.arg == "size"]
    groups = [each for each in (*named, *node.args) if isinstance(each, ast.Tuple | ast.List)]
    sizes = groups[0].elts if groups else [] if _maker(node) in ("randint", "full") else node.args
    values = [_number(each) for each in sizes]
    return tuple(each for each in values if each is not None) if None not in values else ()


def _shape_of_literal(node: ast.expr) -> tuple[int, ...]:
    shape: list[int] = []
    while isinstance(node, ast.List | ast.Tuple) and node.elts:
        shape.append(len(node.elts))
        node = node.elts[0]
    return tuple(shape)


def _number(node: ast.expr) -> int | None:
    """A whole number, also a sum or product of some."""
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if isinstance(node, ast.BinOp):
        sides = _number(node.left), _number(node.right)
        if sides[0] is None or sides[1] is None:
            return None
        if isinstance(node.op, ast.Mult):
            return math.prod((sides[0], sides[1]))
        if isinstance(node.op, ast.Add | ast.Sub):
            return sides[0] + (sides[1] if isinstance(node.op, ast.Add) else -sides[1])
        if isinstance(node.op, ast.FloorDiv) and sides[1]:
            return sides[0] // sides[1]
    return None


class _UnknownError(Exception):
    """An argument of which nobody knows what it is without running the demonstration."""


class _General(ast.NodeTransformer):
    """Puts ids, B and T in the place of a demonstration's own tensors and sizes."""

    def __init__(self, sizes: _Sizes, call: ast.Call, ids: ast.expr) -> None:
        self._sizes = sizes
        self._call = call
        self._ids = ids  # the argument that is the ids, whatever they are made by
        self._kind = ""
        self._is_ids = False

    def whole(self) -> ast.Call | None:
        """The call; None where an argument is no plain value and no tensor of torch's."""
        try:
            arguments = [self._argument("", each) for each in self._call.args]
            named = [
                ast.keyword(arg=each.arg, value=self._argument(each.arg or "", each.value))
                for each in self._call.keywords
                if each.arg is not None
            ]
        except _UnknownError:
            return None
        return ast.Call(func=self._call.func, args=arguments, keywords=named)

    def _argument(self, name: str, node: ast.expr) -> ast.expr:
        self._kind = kind_of(name) if name else ""
        self._is_ids = node is self._ids
        changed: ast.expr = self.visit(node)
        return changed

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """A tensor with its sizes general, or a method that changes its form."""
        if isinstance(node.func, ast.Attribute) and node.func.attr in _ELSEWHERE:
            return self._visited(node.func.value)
        if _maker(node) is not None:
            return self._tensor(node)
        called = ast.unparse(node.func)
        plain = called.startswith("torch.") and called.removeprefix("torch.") in _OTHER_FUNCTIONS
        arguments = [self._size(each) for each in node.args]
        if plain:
            return ast.Call(func=node.func, args=arguments, keywords=self._keywords(node))
        if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            held = ast.Attribute(
                value=self._visited(node.func.value), attr=node.func.attr, ctx=ast.Load()
            )
            return ast.Call(func=held, args=arguments, keywords=self._keywords(node))
        raise _UnknownError(called)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """No name but torch's is known outside of the demonstration."""
        if node.id != "torch":
            raise _UnknownError(node.id)
        return node

    def _tensor(self, node: ast.Call) -> ast.expr:
        shape = _shape(node)
        whole = self._is_ids or _maker(node) in ("randint", "tensor")
        if whole and shape == (self._sizes.batch, self._sizes.length):
            return ast.Name(id="labels" if self._kind == "labels" else "ids", ctx=ast.Load())
        if whole and shape == (self._sizes.length,) and self._sizes.batch == 1:
            return ast.parse("ids[0]", mode="eval").body
        if not shape or _maker(node) == "tensor":
            raise _UnknownError(ast.unparse(node))
        sizes = ast.Tuple(elts=[self._sizes.code(size) for size in shape], ctx=ast.Load())
        before = [each for each in node.args if _number(each) is not None]
        bounds = [self._bound(each) for each in before] if _maker(node) == "randint" else []
        if _maker(node) == "full":
            bounds = []
            return ast.Call(
                func=node.func, args=[sizes, *node.args[1:]], keywords=self._keywords(node)
            )
        return ast.Call(func=node.func, args=[*bounds, sizes], keywords=self._keywords(node))

    def _bound(self, node: ast.expr) -> ast.expr:
        number = _number(node) or 0
        return ast.Constant(self._sizes.small.get(number, number))

    def _size(self, node: ast.expr) -> ast.expr:
        number = _number(node)
        return self._visited(node) if number is None or number < 2 else self._sizes.code(number)

    def _keywords(self, node: ast.Call) -> list[ast.keyword]:
        """Without the device, which is ours to choose, and without the sizes."""
        kept = (each for each in node.keywords if each.arg not in ("device", "size", None))
        return [ast.keyword(arg=each.arg, value=self._visited(each.value)) for each in kept]

    def _visited(self, node: ast.expr) -> ast.expr:
        changed: ast.expr = self.visit(node)
        return changed
