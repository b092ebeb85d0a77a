"""Masks and row numbers that say which tokens chose an expert, and where the choice came from."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace

from gptdoctor.source.flow_experts import resolved
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_gradients import Gradients
from gptdoctor.source.flow_targets import Role

# What a mask may go through and still be the same choice.
RESHAPED = re.compile(
    r"(unsqueeze|squeeze|expand|expand_as|broadcast_to|view|view_as|reshape|flatten|ravel|permute"
    r"|transpose|unbind|to|type|type_as|bool|float|long|int|contiguous|clone|repeat|tolist|cuda"
    r"|cpu|detach|logical_\w+)$"
)
# Over the slots of a token: afterwards the mask says "in any slot".
FOLDING = frozenset(["any", "sum", "amax", "max", "count_nonzero"])
SPLITTING = frozenset(["nonzero", "where", "argwhere"])
DEEPEST = 12  # steps from the index back to the comparison


@dataclass(frozen=True, kw_only=True)
class Membership:
    """`indices == number`, on the way to an index."""

    indices: ast.expr  # the tensor of chosen experts
    number: ast.expr  # of the expert
    folded: bool = False  # slots were folded together
    columns: int = 0  # into how many row numbers it was split; 0: a mask; -1: not known
    column: int | None = None  # which of them this is


def membership(index: ast.expr, function: Function, depth: int = 0) -> Membership | None:
    """What an index says about a choice of experts, or None where it says nothing of the kind."""
    if depth > DEEPEST:
        return None
    if isinstance(index, ast.Name):
        return _named(index, function, depth)
    if isinstance(index, ast.Compare) and len(index.ops) == 1:
        return _compared(index, function, depth)
    if isinstance(index, ast.Call):
        return _called(index, function, depth)
    if isinstance(index, ast.Subscript):
        return _subscripted(index, function, depth)
    if isinstance(index, ast.UnaryOp):
        return membership(index.operand, function, depth + 1)
    if isinstance(index, ast.BinOp):
        left = membership(index.left, function, depth + 1)
        return left or membership(index.right, function, depth + 1)
    return None


def _named(name: ast.Name, function: Function, depth: int) -> Membership | None:
    for binding in function.reaching(name):
        if binding.value is None or binding.role not in (Role.WHOLE, Role.ITEM):
            continue
        found = membership(binding.value, function, depth + 1)
        if found and binding.role is Role.ITEM:
            return replace(found, columns=binding.among, column=binding.index)
        if found:
            return found
    return None


def _compared(test: ast.Compare, function: Function, depth: int) -> Membership | None:
    left, right = test.left, test.comparators[0]
    if isinstance(test.ops[0], ast.Eq):
        swapped = isinstance(left, ast.Name) and _is_number(left, function)
        return Membership(indices=right if swapped else left, number=left if swapped else right)
    return membership(left, function, depth + 1)  # mask.sum(-1) > 0, gates[:, e] != 0


def _is_number(name: ast.Name, function: Function) -> bool:
    roles = {binding.role for binding in function.reaching(name)}
    return Role.COUNTER in roles


def _called(call: ast.Call, function: Function, depth: int) -> Membership | None:
    method = call.func.attr if isinstance(call.func, ast.Attribute) else None
    torch = (function.module.names.called(call) or "").startswith("torch.")
    inner = call.args[0] if torch and call.args else getattr(call.func, "value", None)
    given = call.args[1:] if torch else call.args
    if method == "eq" and inner is not None and given:
        return Membership(indices=inner, number=given[0])
    found = membership(inner, function, depth + 1) if isinstance(inner, ast.expr) else None
    if found is None:
        return None
    if method in SPLITTING and not (method == "where" and len(call.args) > 1):
        return replace(found, columns=-1)
    if method in FOLDING and (given or call.keywords):
        return replace(found, folded=True)
    return found if RESHAPED.match(method or "") else None


def _subscripted(index: ast.Subscript, function: Function, depth: int) -> Membership | None:
    base, place = index.value, index.slice
    table = _table(base, function)
    if table is not None:
        number = next((one for one in _items(place) if isinstance(one, ast.Name)), None)
        return replace(table, number=number) if number else None
    found = membership(base, function, depth + 1)
    if found and found.columns:
        column = next((one.value for one in _items(place) if isinstance(one, ast.Constant)), None)
        return replace(found, column=column) if isinstance(column, int) else found
    return found


def _table(base: ast.expr, function: Function) -> Membership | None:
    """one_hot(idx) or zeros.scatter(-1, idx, w): a table with a row or column for each expert."""
    folded = False
    for _ in range(DEEPEST):
        base = resolved(base, function)
        if not isinstance(base, ast.Call):
            return None
        method = getattr(base.func, "attr", getattr(base.func, "id", ""))
        if method == "one_hot" and base.args:
            return Membership(indices=base.args[0], number=base, folded=folded)
        if method in ("scatter", "scatter_") and len(base.args) > 1:
            return Membership(indices=base.args[1], number=base, folded=True)
        folded = folded or method in FOLDING
        if not isinstance(base.func, ast.Attribute):
            return None
        base = base.func.value
    return None


def _items(place: ast.expr) -> list[ast.expr]:
    return list(place.elts) if isinstance(place, ast.Tuple) else [place]


class Choice:
    """How many experts each token has in a tensor of indices, as far as the text tells."""

    def __init__(self, gradients: Gradients) -> None:
        self._gradients = gradients  # knows which function of the project a call runs

    def call(
        self, indices: ast.expr, function: Function, depth: int = 0
    ) -> tuple[ast.Call, Function] | None:
        """The call that chose the experts: `topk`, `argmax`, ..., and the function it stands in."""
        if depth > DEEPEST:
            return None
        if isinstance(indices, ast.Name):
            return self._named(indices, function, depth)
        if isinstance(indices, ast.Subscript | ast.Attribute):
            return self.call(indices.value, function, depth + 1)
        if not isinstance(indices, ast.Call):
            return None
        method = getattr(indices.func, "attr", getattr(indices.func, "id", ""))
        if method in ("topk", "argmax", "max", "min", "argmin", "sort", "argsort", "multinomial"):
            return indices, function
        if RESHAPED.match(method) and isinstance(indices.func, ast.Attribute):
            return self.call(indices.func.value, function, depth + 1)
        return None

    def single(self, indices: ast.expr, function: Function) -> bool | None:
        """Whether each token has one expert only; None where the choice is not in sight."""
        found = self.call(indices, function)
        if found is None:
            return None
        call, home = found
        method = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if method != "topk":
            return method not in ("sort", "argsort", "multinomial")
        torch = (home.module.names.called(call) or "").startswith("torch.")
        given = call.args[1:] if torch else call.args
        named = [keyword.value for keyword in call.keywords if keyword.arg == "k"]
        count = next(iter([*named, *given]), None)
        return isinstance(count, ast.Constant) and count.value == 1

    def _named(
        self, name: ast.Name, function: Function, depth: int
    ) -> tuple[ast.Call, Function] | None:
        for binding in function.reaching(name):
            if binding.value is None:
                continue
            value, home = binding.value, function
            item = binding.index if binding.role is Role.ITEM else None
            if item is not None and isinstance(value, ast.Call):
                made = self._item_made(value, item, function)
                value, home = made or (value, home)
            found = self.call(value, home, depth + 1)
            if found is not None:
                return found
        return None

    def _item_made(
        self, call: ast.Call, item: int, function: Function
    ) -> tuple[ast.expr, Function] | None:
        """Item number `item` of what a call of the project's own code returns."""
        callee = self._gradients.callee(call, function)
        for value in callee.returned if callee else []:
            if isinstance(value, ast.Tuple) and item < len(value.elts) and callee:
                return value.elts[item], callee
        return None
