"""Other instances like the specimen: the same constructor, with a size or two changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from torch import nn

from gptdoctor.specimen.instances import Instance
from gptdoctor.specimen.without_weights import lacks_weights


@contextmanager
def remade(
    instance: Instance, make: Callable[[Instance, Mapping[str, int]], Instance], **sizes: int
) -> Iterator[nn.Module | None]:
    """Another instance with `sizes` by role ("layers"), or None where it cannot be made.

    While this lasts, the user's modules hold the numbers that it reads from them.  A size that
    the constructor does not ask for changes nothing: the model is as it was.
    """
    other = make(instance, sizes)
    try:
        yield None if lacks_weights(other.model) else other.model
    finally:
        for change in other.changes:
            change.undo()
        for change in instance.changes:
            change.make()


def remade_code(
    instance: Instance, make: Callable[[Instance, Mapping[str, int]], Instance], **sizes: int
) -> str:
    """The expression that makes such an instance; "" where it is made otherwise than by one."""
    other = make(instance, sizes)
    for change in other.changes:
        change.undo()
    for change in instance.changes:
        change.make()
    made = other.model is not None and not other.changes and not lacks_weights(other.model)
    return other.code if made else ""
