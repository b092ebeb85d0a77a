"""Which dimensions of which tensors do not fit, in an operation that failed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from gptdoctor.probes.instruments.arguments import JOINING
from gptdoctor.probes.instruments.operation_log import Operation

_PRODUCTS = frozenset({"matmul", "__matmul__", "__rmatmul__", "bmm", "mm"})
_SUM_WITH_PRODUCT = frozenset({"addmm", "addmm_", "baddbmm", "baddbmm_"})


@dataclass(frozen=True, kw_only=True, eq=False)
class End:
    """One dimension of one tensor that was given, counted from the last, -1."""

    tensor: Tensor
    number: int  # of the tensor among those that were given
    dimension: int

    @property
    def size(self) -> int:
        """How large it is."""
        return int(self.tensor.shape[self.dimension])


Clash = tuple[End, End]


def clashes(operation: Operation) -> Iterator[Clash]:
    """The pairs of dimensions of an operation that ought to be equal, and are not."""
    given = [End(tensor=t, number=n, dimension=-1) for n, t in enumerate(operation.given)]
    for first, second, one, other in _ought(operation.name, given):
        if first.tensor.dim() < -one or second.tensor.dim() < -other:
            continue
        pair = _at(first, one), _at(second, other)
        if pair[0].size != pair[1].size:
            yield pair


def _at(end: End, dimension: int) -> End:
    return End(tensor=end.tensor, number=end.number, dimension=dimension)


def _ought(name: str, given: list[End]) -> Iterator[tuple[End, End, int, int]]:
    """The pairs of tensors and of their dimensions that an operation wants equal."""
    if len(given) < 2:
        return
    first, second = given[:2]
    if name == "linear":
        yield first, second, -1, -1
    elif name in _SUM_WITH_PRODUCT and len(given) > 2:
        yield given[1], given[2], -1, -2
        yield from _with_product(first, given[1], given[2])
    elif name in _PRODUCTS:
        if name == "__rmatmul__":
            first, second = second, first
        yield first, second, -1, -2 if second.tensor.dim() > 1 else -1
        yield from _broadcast([first, second], -3)
    elif name == "scaled_dot_product_attention":
        yield from _attention(given)
    else:
        wide = JOINING | {"where"}
        yield from _broadcast(given if name in wide else given[:3], -1)


def _with_product(added: End, one: End, other: End) -> Iterator[tuple[End, End, int, int]]:
    """What is added to the product of two matrices, or of two batches of them."""
    yield from _broadcast([one, other], -3)
    for part, dimension in ((other, -1), (one, -2), (one, -3)):
        both = added.tensor.shape[dimension:], part.tensor.shape[dimension:]
        if all(len(one) == -dimension and one[0] != 1 for one in both):
            yield added, part, dimension, dimension


def _attention(given: list[End]) -> Iterator[tuple[End, End, int, int]]:
    """Query [.., L, D], key [.., S, D], value [.., S, E], and the mask [.., L, S]."""
    query, key = given[:2]
    yield query, key, -1, -1
    yield from _broadcast(given[:3], -3)
    if len(given) > 2:
        yield key, given[2], -2, -2
    if len(given) > 3:
        yield given[3], key, -1, -2
        yield given[3], query, -2, -2


def _broadcast(given: list[End], last: int) -> Iterator[tuple[End, End, int, int]]:
    """All pairs of dimensions counted from the last, where neither is 1."""
    for first, second in itertools.combinations(given, 2):
        for dimension in range(last, -min(first.tensor.dim(), second.tensor.dim()) - 1, -1):
            if 1 not in (first.tensor.shape[dimension], second.tensor.shape[dimension]):
                yield first, second, dimension, dimension
