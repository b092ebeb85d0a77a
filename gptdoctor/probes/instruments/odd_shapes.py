"""Which reshape gives a result of the wrong shape: the first that does not go with B and T."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.shape_trace import Reshape

Sizes = tuple[int, int]  # B and T


def first_odd(
    works: Sequence[Reshape], fails: Sequence[Reshape], known: Sizes, odd: Sizes
) -> tuple[Place, str] | None:
    """Place and operation of the first reshape at sizes `odd` that differs from that at `known`.

    The passes run the same lines; a line that runs several times is compared with its first run.
    """
    right: dict[tuple[Place, str], Reshape] = {}
    for one in works:
        right.setdefault((one.place, one.operation), one)
    for one in fails:
        other = right.get((one.place, one.operation))
        if other is None:
            continue
        if _go_together(other.before, one.before, known, odd) and not _go_together(
            other.after, one.after, known, odd
        ):
            return one.place, one.operation
    return None


def _go_together(first: tuple[int, ...], second: tuple[int, ...], known: Sizes, odd: Sizes) -> bool:
    """Whether two shapes are one in B and T, which are `known` in the first and `odd` in the other.

    Each dimension may be a constant times powers of B and T; a count of positions may have some
    more, such as what stands before the text.
    """
    if len(first) != len(second):
        return False
    batches, lengths = Fraction(odd[0], known[0]), Fraction(odd[1], known[1])
    ratios = {batches**b * lengths**t for b in range(3) for t in range(3)}
    return all(
        (one and Fraction(other, one) in ratios) or other - one == odd[1] - known[1]
        for one, other in zip(first, second, strict=True)
    )
