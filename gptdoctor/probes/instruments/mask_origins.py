"""Which statement made the mask of an attention as it is, or which lacks one."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.masks import HIDDEN, Sight, masks_of, value_count
from gptdoctor.probes.instruments.nearby_statements import local_assignment, passed_names
from gptdoctor.probes.instruments.nearby_text import idle_line, next_reading
from gptdoctor.probes.instruments.operations import Operation, Recording, is_triangle
from gptdoctor.probes.instruments.statements import assignment_place

# What turns yes into no.
TURNING = re.compile(
    r"__invert__|logical_not|bitwise_not|__(?:eq|ne|lt|gt|le|ge|rsub)__|eq|ne|lt|gt|le|ge|rsub"
    r"|tri[lu]_?|where|masked_fill_?"
)
FILLING = frozenset({"masked_fill", "masked_fill_", "__setitem__"})
MOST_MATRICES = 8  # of a mask, one for each row of the batch: padding covers the border of some


def mask_place(sight: Sight, recording: Recording, root: str) -> Place | None:
    """The statement that made the mask wrong: that drew its border, or turned it round."""
    if sight.mask is None:
        return None
    chain = list(_chain(sight.mask, recording))  # from the mask back to what it was made of
    for number, operation in reversed(chain):
        if border(recording.values[number]) == "wrong":
            return _place_of(number, operation, recording, root)
    applied = sight.applied
    # A triangle is drawn for what is seen or for what is hidden: what fills it in decides.
    filled = applied is not None and applied.name in FILLING
    turning = [
        operation
        for _, operation in chain
        if operation and TURNING.fullmatch(operation.name)
        if not (filled and operation.name.startswith("tri"))
    ]
    right = [number for number, _ in chain if border(recording.values[number]) == "right"]
    if not right:  # one value everywhere: a border was covered, or nobody drew one
        covering = _covering(sight.mask, recording)
        if covering is not None:
            return covering
        number, operation = chain[-1]
        place = _place_of(number, operation, recording, root)
        if operation is None or place is None or _unused_border(sight.operation, recording) is None:
            return place
        return _to_fill_in(operation, place, root)
    if applied is not None and applied.name == "where":
        return applied.place
    if turning and turning[0].place is not None:
        return turning[0].place
    if chain[-1][0] in recording.owners and applied is None:
        return _place_of(chain[-1][0], None, recording, root)
    return applied.place if applied is not None else None


def _covering(mask: int, recording: Recording) -> Place | None:
    """The statement that left nothing of a border: what hides all, or what joins the two."""
    behind = ancestors([mask], recording)
    for operation in (each for each in recording.operations if each in behind):
        drawn = [n for n in operation.inputs if border(recording.values[n]) == "right"]
        left = [n for n in operation.outputs if border(recording.values[n]) == "right"]
        if not drawn or left or min(operation.results[0].shape[-2:], default=0) < 3:
            continue
        for number in set(operation.inputs) - set(drawn):
            for _, maker in _chain(number, recording):
                if maker is not None and TURNING.fullmatch(maker.name):
                    return maker.place
        return operation.place
    return None


def missing_mask_place(
    operation: Operation, recording: Recording, plain: frozenset[int], root: str
) -> Place | None:
    """Where the mask of an attention that has none got lost.

    The statement that made another mask and left out a border drawn before it, in one function;
    else the innermost frame that had a mask at hand; else where a mask was set to None.
    """
    unused = _unused_border(operation, recording)
    frames = operation.masked_frames
    if unused is not None and unused.place is not None:
        own = unused.place.symbol
        if not frames or frames[0].symbol == own:
            last = recording.operations.index(unused)
            made = ancestors(masks_of(operation, recording, plain), recording)
            for later in recording.operations[last + 1 :]:
                if later in made and later.place is not None and later.place.symbol == own:
                    return _to_fill_in(later, later.place, root)
    if frames:
        return replace(frames[0], line=idle_line(frames[0], root) or frames[0].line)
    return unused.place if unused is not None else _set_to_none(operation, root)


def _to_fill_in(operation: Operation, place: Place, root: str) -> Place:
    """The statement that made a mask; of one made of nothing yet, that which reads it next."""
    empty = not operation.inputs and all(value_count(each) == 1 for each in operation.results)
    line = next_reading(place, root) if empty else None
    return place if line is None else replace(place, line=line)


def _unused_border(attention: Operation, recording: Recording) -> Operation | None:
    """The last operation before an attention that drew a border that no operation was given."""
    used = recording.used
    found = None
    for operation in recording.operations:
        if operation is attention:
            break
        for number, result in zip(operation.outputs, operation.results, strict=True):
            if number not in used and is_triangle(result):
                found = operation
    return found


def ancestors(numbers: Iterable[int], recording: Recording) -> set[Operation]:
    """All operations that some values were made by, from the first on."""
    found: set[Operation] = set()
    waiting = list(numbers)
    while waiting:
        maker = recording.maker.get(waiting.pop())
        if maker is not None and maker not in found:
            found.add(maker)
            waiting += maker.inputs
    return found


def _set_to_none(operation: Operation, root: str) -> Place | None:
    """The innermost statement that gave the name of a mask to nothing.

    In a function the mask that it hands on comes before others that it lacks as well.
    """
    for place, names in itertools.groupby(operation.absent_masks, key=lambda each: each[0]):
        passed = passed_names(place, root)
        for name in sorted((name for _, name in names), key=lambda one: one not in passed):
            line = local_assignment(place, name, root)
            if line is not None:
                return Place(path=place.path, symbol=place.symbol, line=line)
    return None


def _place_of(
    number: int, operation: Operation | None, recording: Recording, root: str
) -> Place | None:
    """Where a value was made: the line of its operation, or the assignment of what is kept."""
    if operation is not None:
        return operation.place
    owner = recording.owners.get(number)
    return None if owner is None else assignment_place(*owner, root)


def _chain(number: int, recording: Recording) -> Iterator[tuple[int, Operation | None]]:
    """A value, and what it was made of, step by step.

    Of several inputs the one in which a border is drawn, else the largest.
    """

    def weight(each: int) -> tuple[bool, int]:
        values = recording.values[each]
        return border(values) != "none", values.numel()

    for _ in range(24):
        maker = recording.maker.get(number)
        yield number, maker
        if maker is None or not maker.inputs:
            return
        number = max(maker.inputs, key=weight)


def border(values: Tensor) -> str:
    """Where a mask [.., Q, K] changes: "right" at the diagonal, "wrong" elsewhere, "none" nowhere.

    "right" where it is so in some row of the batch: padding may cover it in others.
    """
    if values.dim() < 2 or min(values.shape[-2:]) < 3:
        return "none"
    size = min(values.shape[-2:])
    matrices = values.reshape(-1, *values.shape[-2:])[:MOST_MATRICES, -size:, -size:]
    if matrices.is_floating_point() and bool((matrices <= HIDDEN).any()):
        matrices = matrices > HIDDEN  # what it hides counts, and no bias that comes with it
    found = {_border_of(matrix) for matrix in matrices}
    return next((word for word in ("right", "wrong") if word in found), "none")


def _border_of(matrix: Tensor) -> str:
    inside = torch.ones(matrix.shape, dtype=torch.bool).tril()
    below, above = matrix[inside], matrix[~inside]
    if value_count(below) == 1 and value_count(above) == 1:
        return "none" if below[0] == above[0] else "right"
    return "wrong" if value_count(matrix) == 2 else "none"
