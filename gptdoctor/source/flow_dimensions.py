"""The dimensions of a tensor, and what operations do to them."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from gptdoctor.source.flow_turns import Turn, number


@dataclass(frozen=True, kw_only=True)
class Axes:
    """The dimensions of one tensor."""

    order: tuple[int, ...]  # for each dimension, which one it was when the tensor was made
    experts: int  # which of these numbers one of several networks
    sure: bool  # the number of dimensions is written somewhere, not assumed
    turns: tuple[Turn, ...] = ()  # the reorderings on the way, first to last

    @property
    def rank(self) -> int:
        """The number of dimensions."""
        return len(self.order)


def fresh(rank: int, *, sure: bool) -> Axes | None:
    """The dimensions of a tensor as a layer makes it: its own channels come last."""
    return Axes(order=tuple(range(rank)), experts=rank - 1, sure=sure) if rank > 0 else None


def without(axes: Axes | None, axis: int) -> Axes | None:
    """The tensor after one dimension was picked from or summed over."""
    if axes is None or not -axes.rank <= axis < axes.rank or axes.rank == 1:
        return None
    axis %= axes.rank
    return replace(axes, order=axes.order[:axis] + axes.order[axis + 1 :])


def widened(axes: Axes, axis: int) -> Axes:
    """The tensor with one more dimension of size one."""
    label = 100 + len(axes.order)  # unlike any number of a dimension
    place = axis % (axes.rank + 1)
    return replace(axes, order=(*axes.order[:place], label, *axes.order[place:]))


def _dimension(call: ast.Call, given: list[ast.expr]) -> int | None:
    named = [one.value for one in call.keywords if one.arg in ("dim", "axis")]
    first = next(iter([*named, *given]), None)
    return number(first) if first is not None else None


def normalized(base: Axes, call: ast.Call, given: list[ast.expr]) -> Axes:
    """A softmax runs over the experts, whichever dimension they are in."""
    axis = _dimension(call, given)
    if axis is None or not -base.rank <= axis < base.rank:
        return base
    return replace(base, experts=base.order[axis])


def reduced(base: Axes, call: ast.Call, given: list[ast.expr]) -> Axes | None:
    """The tensor after a sum, a mean or the like."""
    kept = any(one.arg == "keepdim" for one in call.keywords)
    axis = _dimension(call, given)
    return base if kept else (without(base, axis) if axis is not None else None)


def rebuilt(base: Axes, name: str, given: list[ast.expr]) -> Axes | None:
    """The tensor after unsqueeze, squeeze, flatten, linear, view or reshape."""
    first = number(given[0]) if given else None
    if name == "unsqueeze" and first is not None:
        return widened(base, first if first >= 0 else base.rank + 1 + first)
    if name == "squeeze" and first is not None:
        return without(base, first)
    if name == "flatten":
        last = number(given[1]) if len(given) > 1 else -1
        begin = first or 0
        joined = (last if last is not None and last >= 0 else base.rank - 1) - begin
        return fresh(base.rank - joined, sure=True) if joined >= 0 else None
    if name == "linear":
        return fresh(base.rank, sure=base.sure)
    return reshaped(name, given)


def reshaped(name: str, given: list[ast.expr]) -> Axes | None:
    """A tensor whose sizes are all written down."""
    if name not in ("view", "reshape"):
        return None
    sizes = given[0].elts if len(given) == 1 and isinstance(given[0], ast.Tuple) else given
    if len(sizes) < 2 or any(isinstance(one, ast.Starred) for one in sizes):
        return None
    return fresh(len(sizes), sure=True)
