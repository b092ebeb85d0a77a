"""Which dimension is which: the numbers of a shape by the sizes that they equal."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SHAPE = re.compile(r"(?P<name>\w+) \[(?P<sizes>[\d, ]*)\]")
_SHORT = {"batch": "B", "length": "T"}


def symbolic(shape: str, sizes: Mapping[str, int]) -> str:
    """A shape with its dimensions named: "x [3, 7, 64] = [B, T, width]".

    `sizes` is by what each measures ("batch", "length", "width").  A number that none of them
    equals, or more than one, stays a number.
    """
    found = _SHAPE.fullmatch(shape)
    if found is None:
        return shape
    numbers = [int(number) for number in re.findall(r"\d+", found["sizes"])]
    names = [_name(number, sizes) for number in numbers]
    if all(name.isdigit() for name in names):
        return shape
    return f"{shape} = [{', '.join(names)}]"


def _name(number: int, sizes: Mapping[str, int]) -> str:
    """The one size that equals `number`, else the one product or quotient of sizes that does."""
    if number < 2:  # 1 is what broadcasts, whatever it is equal to
        return str(number)
    for table in (sizes, _derived(sizes)):
        fitting = [name for name, size in table.items() if size == number]
        if fitting:
            return _SHORT.get(fitting[0], fitting[0]) if len(fitting) == 1 else str(number)
    return str(number)


def _derived(sizes: Mapping[str, int]) -> dict[str, int]:
    """Sizes that models make of others: a head's width, a batch of heads, three projections."""
    width, heads = sizes.get("width", 0), sizes.get("heads", 0)
    batch, length = sizes.get("batch", 0), sizes.get("length", 0)
    derived = {"B*T": batch * length, "B*heads": batch * heads, "3*width": 3 * width}
    if heads and width % heads == 0:
        derived["width/heads"] = width // heads
    return derived
