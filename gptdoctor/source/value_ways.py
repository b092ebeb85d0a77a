"""The ways by which a value came about in its function: what was done to it, and what it began as.

Every way counts: a rule that is to be sure asks all of them, and where one cannot be followed
there are none.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Position, Role, end
from gptdoctor.source.kept import kept

# Hand a tensor's numbers on as they are: in another shape or type, some of them, or elsewhere.
SHAPING = frozenset(
    {
        *("view", "reshape", "flatten", "unflatten", "ravel", "transpose", "permute", "swapaxes"),
        *("movedim", "contiguous", "squeeze", "unsqueeze", "expand", "expand_as", "view_as"),
        *("float", "half", "double", "bfloat16", "to", "type", "type_as", "clone", "cpu", "cuda"),
        *("narrow", "select", "index_select", "masked_select", "rearrange", "long", "int"),
    }
)
TURNED = frozenset({"T", "mT", "data", "values"})
# Of these the first result is some of the numbers, or all of them in another order.
ORDERING = frozenset({"topk", "sort"})
LONGEST = 60  # steps: longer ways are loops, or no business of one function
MOST = 12  # ways: where more meet, the text no longer tells which is taken

# Which parts of an expression its value is made of; none: the way begins there.
Follow = Callable[[ast.expr, Function], list[ast.expr]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Way:
    """One way, from the value back to where it begins."""

    steps: tuple[ast.AST, ...]  # what was done to it, the last first
    source: ast.expr | None = None  # the expression that it begins as
    binding: Binding | None = None  # or the name that got it: an argument, an item, an element

    @property
    def argument(self) -> str:
        """The parameter that it begins as, or ""."""
        given = self.binding is not None and self.binding.role is Role.ARGUMENT
        return self.binding.name if self.binding and given else ""


class _LostError(Exception):
    """A way cannot be followed."""


def ways_of(
    value: ast.expr, function: Function, follow: Follow, *, scaled: bool = False
) -> list[Way]:
    """All ways that a value may have come, or [] where one of them cannot be followed.

    With `scaled`, `x /= t` is a step like others; else what it makes of x is not known.
    """
    try:
        found = list(_Search(function, follow, scaled).ways(value, (), frozenset()))
    except (_LostError, RecursionError):
        return []
    return found if len(found) <= MOST else []


@dataclass(frozen=True)
class _Search:
    """Finds the ways of the values of one function."""

    function: Function
    follow: Follow
    scaled: bool

    def ways(
        self, value: ast.expr, steps: tuple[ast.AST, ...], seen: frozenset[Binding]
    ) -> Iterator[Way]:
        """The ways of an expression, behind `steps`; bindings that were `seen` are loops."""
        if len(steps) > LONGEST:
            raise _LostError
        if isinstance(value, ast.Name):
            yield from self._by_name(value, steps, seen)
            return
        parts = [value.body, value.orelse] if isinstance(value, ast.IfExp) else []
        if isinstance(value, ast.NamedExpr):
            parts = [value.value]
        parts = parts or self.follow(value, self.function)
        if not parts:
            yield Way(steps=steps, source=value)
        for part in parts:
            yield from self.ways(part, (*steps, value), seen)

    def _by_name(
        self, name: ast.Name, steps: tuple[ast.AST, ...], seen: frozenset[Binding]
    ) -> Iterator[Way]:
        """The ways of a name; what is written into it on the way is a step."""
        if name.id in changed_without_value(self.function):
            raise _LostError
        place = (name.lineno, name.col_offset)
        bindings = self.function.bindings.reaching(name.id, place, carried=True)
        if not bindings:
            yield Way(steps=steps, source=name)
            return
        changes = tuple(self._change(one) for one in bindings if one.role is Role.CHANGED)
        for binding in bindings:
            if binding.role is Role.CHANGED or binding in seen:
                continue
            further = (*steps, name, *changes)
            if binding.value is not None and self._whole(binding):
                yield from self.ways(binding.value, further, seen | {binding})
            elif binding.role in (Role.COUNTER, Role.OTHER):
                raise _LostError
            else:
                yield Way(steps=further, source=binding.value, binding=binding)

    def _whole(self, binding: Binding) -> bool:
        """Whether a name holds what its value is followed for; the first of a pair does."""
        if binding.role is Role.ITEM and not binding.index and binding.value is not None:
            made = operation(binding.value, self.function)
            return made is not None and made[0] in ORDERING
        return binding.role is Role.WHOLE

    def _change(self, binding: Binding) -> ast.AST:
        """What was written into a name: `x /= t` as a whole, a number that fills some places."""
        augmented = _augmented(self.function).get(binding.since)
        if augmented is not None:
            if self.scaled and isinstance(augmented.target, ast.Name):
                return augmented
        elif binding.value is not None and (fills(binding.value) or _is_own_sum(binding)):
            return binding.value
        raise _LostError


def _is_own_sum(binding: Binding) -> bool:
    """Whether what changes a name is its own sum: `p.div_(p.sum(-1, keepdim=True))`."""
    called = binding.value.func if isinstance(binding.value, ast.Call) else None
    summed = isinstance(called, ast.Attribute) and called.attr == "sum"
    owner = called.value if summed and isinstance(called, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id == binding.name


def fills(value: ast.expr) -> bool:
    """Whether a value is one number for many places: 0, -1e9, float("-inf"), finfo(...).min."""
    if isinstance(value, ast.UnaryOp):
        return fills(value.operand)
    if isinstance(value, ast.Constant):
        return isinstance(value.value, int | float) and not isinstance(value.value, bool)
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == "float"
    return isinstance(value, ast.Attribute) and value.attr in ("inf", "min", "max")


def is_lowest(value: ast.AST) -> bool:
    """Whether a value is what shuts a token out of logits: -inf, -1e9, finfo(...).min."""
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
        inner = value.operand
        if isinstance(inner, ast.Constant):
            return isinstance(inner.value, int | float) and inner.value >= 1e3
        return fills(inner)
    if isinstance(value, ast.Call) and fills(value):
        text = value.args[0] if value.args else None
        return isinstance(text, ast.Constant) and "-inf" in str(text.value).lower()
    return isinstance(value, ast.Attribute) and value.attr == "min" and fills(value)


@kept(32)
def _augmented(function: Function) -> dict[Position, ast.AugAssign]:
    nodes = (node for node in own_nodes(function.node) if isinstance(node, ast.AugAssign))
    return {end(node): node for node in nodes}


@kept(32)
def changed_without_value(function: Function) -> frozenset[str]:
    """The names that a method without an argument changes in place: `p.exp_()`, `p.zero_()`."""
    if "_(" not in function.text:  # as most: no call of such a method is written in it
        return frozenset()
    return frozenset(
        node.func.value.id
        for node in own_nodes(function.node)
        if isinstance(node, ast.Call)
        and not node.args
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.attr.endswith("_")
        and not node.func.attr.endswith("__")
        and node.func.attr != "requires_grad_"
    )


def operation(value: ast.expr, function: Function) -> tuple[str, ast.expr] | None:
    """The name of torch's operation that makes a value, and the tensor it is made of.

    `F.softmax(x, -1)`, `x.softmax(-1)` and `softmax(x, -1)` with its import are the same.
    """
    if not isinstance(value, ast.Call):
        return None
    qualified = function.module.names.called(value) or ""
    name = qualified.rpartition(".")[2]
    if qualified.startswith(("torch.", "einops.")):
        named = [one.value for one in value.keywords if one.arg in ("input", "tensor", "self")]
        given = [*value.args, *named]
        return (name, given[0]) if given and not isinstance(given[0], ast.Starred) else None
    if not isinstance(value.func, ast.Attribute) or self_attribute(value.func):
        return None
    if isinstance(value.func.value, ast.Name) and value.func.value.id in ("self", "cls"):
        return None
    if _is_module(value.func.value, function):
        return None
    return value.func.attr, value.func.value


def _is_module(value: ast.expr, function: Function) -> bool:
    """Whether a receiver is something imported: `np.log(x)` is no method of np."""
    names = function.module.names
    root = value
    while isinstance(root, ast.Attribute):
        root = root.value
    imported = isinstance(root, ast.Name) and root.id in names.aliases
    return imported and not function.bindings.by_name.get(getattr(root, "id", ""))


def shaped_from(value: ast.expr, function: Function) -> list[ast.expr]:
    """What a value is the same numbers as, in another shape or type: a `Follow`."""
    if isinstance(value, ast.Subscript):
        return [value.value]
    if isinstance(value, ast.Attribute):
        return [value.value] if value.attr in TURNED else []
    made = operation(value, function)
    return [made[1]] if made and made[0] in SHAPING | ORDERING else []


def keyword(call: ast.Call, *names: str) -> ast.expr | None:
    """What a call is given by one of these names."""
    return next((one.value for one in call.keywords if one.arg in names), None)
