"""Where a size that does not fit comes from: seldom the line that fails.

Two runs at different B and T tell sizes that follow the text from those that stay.  What stays
where its counterpart follows is a stray, and is followed back to the operation that made it of
nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.clashes import Clash, End, clashes
from gptdoctor.probes.instruments.crash_log import FailedRun, same_step
from gptdoctor.probes.instruments.loaded_text import line_at
from gptdoctor.probes.instruments.named_shapes import shape_place
from gptdoctor.probes.instruments.operation_log import Operation

Sizes = tuple[int, int]  # B and T
# They take a dimension away, unless they are told to keep it.
_REDUCING = frozenset(
    {"sum", "mean", "var", "std", "norm", "vector_norm", "amax", "amin", "logsumexp", "max", "min"}
)
# They take one away where they are given one number for it: `x[:, -1]`.
_PICKING = frozenset({"__getitem__", "select"})
# The numbers that they are given are sizes, or the ends of what is cut out.
_SIZING = frozenset(
    {
        *("view", "reshape", "unflatten", "expand", "repeat", "narrow", "__getitem__", "split"),
        *("arange", "zeros", "ones", "full", "empty", "rand", "randn", "eye", "new_zeros"),
        *("new_ones", "new_full", "tril_indices", "triu_indices"),
    }
)
_RESHAPING = frozenset({"view", "reshape", "unflatten"})
# Smaller numbers count parts (queries, keys and values; two halves of a rotary head).
LEAST_WRITTEN = 5
_MOST_STEPS = 1000


@dataclass(frozen=True, kw_only=True)
class Source:
    """The operation that gave a tensor the size that does not fit."""

    place: Place
    kind: str  # "constant", "lost-dimension", "exchanged"
    operation: str
    size: int  # 0: it is no single size
    shape: tuple[int, ...]  # of what the operation made
    written: bool = False  # the statement holds the size as a number


def source_of(run: FailedRun, other: FailedRun, sizes: Sizes, root: str) -> Source | None:
    """Where the shapes go wrong that made `run`, at B and T of `sizes`, fail.

    `other` is the same at another batch and another length, be it that it fails as well.
    """
    failed = run.failed
    if failed is None:
        return None
    if failed.name in _RESHAPING:
        return _written_size(failed, root)
    found = list(clashes(failed))
    after = same_step(run, failed, other)
    for clash in found:
        lost = _lost_dimension(clash, run, failed)
        if lost is not None:
            return lost
    for clash in found:
        stray = None if after is None else _stray(clash, after)
        source = None if stray is None else _birth(stray, run, root)
        if source is not None:
            return source
    for first, second in found:
        turned = [one for one in (first, second) if is_turned(one.tensor, sizes)]
        if len(turned) == 1:
            return _turn(turned[0].tensor, sizes, run)
    for clash in found:
        births = [_birth(end, run, root) for end in clash]
        written = [one for one in births if one is not None and one.written]
        if len(written) == 1:
            return written[0]
    return None


def _written_size(failed: Operation, root: str) -> Source | None:
    """A reshape that would fit but for one number that its statement holds."""
    wanted = _asked(failed)
    numel = failed.given[0].numel() if failed.given else 0
    whole = abs(math.prod(wanted))  # one of them may be -1
    for size in (each for each in wanted if each >= LEAST_WRITTEN):
        others = whole // size
        unfit = numel % whole if -1 in wanted else numel != whole
        place = _written_at(failed, size, root)
        if others and numel % others == 0 and unfit and place is not None:
            return Source(
                place=place,
                kind="constant",
                operation=told_name(failed),
                size=size,
                shape=tuple(wanted),
                written=True,
            )
    return None


def _asked(operation: Operation) -> list[int]:
    """The whole numbers among the arguments of an operation, those of slices included."""
    return list(_whole_numbers([*operation.args, *operation.kwargs.values()]))


def _whole_numbers(value: Any) -> Iterator[int]:
    if type(value) is int:
        yield value
    elif isinstance(value, slice):
        yield from _whole_numbers([value.start, value.stop])
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _whole_numbers(each)


def _stray(clash: Clash, after: Operation) -> End | None:
    """The one of two dimensions that stays at other sizes, where its counterpart follows them."""
    stays = [one for one in clash if _stays(one, after)]
    return stays[0] if len(stays) == 1 else None


def _stays(end: End, after: Operation) -> bool:
    if end.number >= len(after.given):
        return False
    shape = after.given[end.number].shape
    return len(shape) == end.tensor.dim() and shape[end.dimension] == end.size


def _birth(end: End, run: FailedRun, root: str) -> Source | None:
    """The operation that made a size of tensors that had no such size; None: it was always there.

    Or the first on the way back of which the statement holds the size as a number.

    Sizes of weights and buffers are as they are: what takes them without a cut is to blame, and
    that is the line that fails.
    """
    tensor, dimension, size = end.tensor, end.dimension, end.size
    for _ in range(_MOST_STEPS):
        maker = run.maker(tensor)
        if maker is None:
            return None
        written = _written(maker, size, root)
        if written is not None:
            return written
        before = _with_size(maker, dimension, size)
        if before is None:
            return _source(maker, "constant", size)
        tensor, dimension = before
    return None


def _written(maker: Operation, size: int, root: str) -> Source | None:
    """What makes a size of a number in the text, be it that all others make up for the number.

    That is what `view(8, T, -1)` does to the width where the batch is another.
    """
    if maker.name not in _SIZING or not maker.made:
        return None
    asked = _asked(maker)
    numbers = [size] if size in asked else []
    if not numbers and maker.name in _RESHAPING and -1 in asked:
        numbers = [each for each in asked if each not in maker.given[0].shape]
    for number in (each for each in numbers if each >= LEAST_WRITTEN):
        place = _written_at(maker, number, root)
        source = None if place is None else _source(maker, "constant", number)
        if source is not None and place is not None:
            return replace(source, place=place, written=True)
    return None


def _written_at(operation: Operation, size: int, root: str) -> Place | None:
    """The line that holds a size as a number: that of an operation, or of the shape it is given."""
    if operation.place is None:
        return None
    places = (operation.place, shape_place(operation.place, root))
    return next((one for one in places if size in _numbers(line_at(one, root))), None)


def _with_size(maker: Operation, dimension: int, size: int) -> tuple[Tensor, int] | None:
    """What a size of a result comes from: the same dimension, if one has it, else any."""
    for given in maker.given:
        if given.dim() >= -dimension and given.shape[dimension] == size:
            return given, dimension
    for given in maker.given:
        for each in range(-1, -given.dim() - 1, -1):
            if given.shape[each] == size:
                return given, each
    return None


def _lost_dimension(clash: Clash, run: FailedRun, failed: Operation) -> Source | None:
    """The reduction, or the choice of one, that took a dimension away which its result is met by.

    Without one, the operation itself, where all dimensions fit but for the last that one lacks.
    """
    low, high = sorted(clash, key=lambda end: end.tensor.dim())
    if low.tensor.dim() >= high.tensor.dim():
        return None
    shape, tensor = tuple(low.tensor.shape), low.tensor
    for _ in range(_MOST_STEPS):
        maker = run.maker(tensor)
        if maker is None:
            break
        whole = [each for each in maker.given if each.dim() == len(shape) + 1]
        if maker.name in _REDUCING and whole:
            kept = (*whole[0].shape[:-1], 1)
            fits = kept[:-1] == shape and _fit(kept, tuple(high.tensor.shape))
            return _source(maker, "lost-dimension", 0) if fits else None
        if maker.name in _PICKING and whole and whole[0].shape == high.tensor.shape:
            return _source(maker, "lost-dimension", 0)  # one of what is met as a whole
        same = [each for each in maker.given if tuple(each.shape) == shape]
        if not same:
            break
        tensor = same[0]
    leading = tuple(high.tensor.shape[: len(shape)])
    if not shape or leading != shape or failed.place is None:
        return None
    name = told_name(failed)
    return Source(place=failed.place, kind="missing-dimension", operation=name, size=0, shape=shape)


def _fit(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Whether two shapes can be broadcast."""
    pairs = zip(reversed(first), reversed(second), strict=False)
    return all(one == other or 1 in (one, other) for one, other in pairs)


def is_turned(tensor: Tensor, sizes: Sizes) -> bool:
    """Whether T stands before B."""
    shape, (batch, length) = tuple(tensor.shape), sizes
    if batch == length or shape.count(batch) != 1 or shape.count(length) != 1:
        return False
    return shape.index(length) < shape.index(batch)


def _turn(tensor: Tensor, sizes: Sizes, run: FailedRun) -> Source | None:
    """The operation that put T before B."""
    for _ in range(_MOST_STEPS):
        maker = run.maker(tensor)
        if maker is None:
            return None
        turned = [each for each in maker.given if is_turned(each, sizes)]
        if not turned:
            return _source(maker, "exchanged", 0)
        tensor = turned[0]
    return None


def _numbers(text: str) -> set[int]:
    """The whole numbers in a line of code, be it a part of a statement."""
    code = text.partition("#")[0]
    return {int(number) for number in re.findall(r"(?<![\w.])\d+(?![\w.])", code)}


def told_name(operation: Operation) -> str:
    """What an operation is called: `x[...]` has a name that nobody writes."""
    name = operation.name.strip("_")
    return {"getitem": "indexing"}.get(name, name)


def _source(maker: Operation, kind: str, size: int) -> Source | None:
    if maker.place is None:
        return None
    return Source(
        place=maker.place,
        kind=kind,
        operation=told_name(maker),
        size=size,
        shape=tuple(maker.made[0].shape),
    )
