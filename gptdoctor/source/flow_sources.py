"""The ends that a value's gradient would arrive at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

FARTHEST = 9  # steps that are told apart: only the nearest ends are shown


class Origin(Enum):
    """What a gradient would arrive at."""

    LEARNED = "learned"  # a parameter or a layer that training changes
    ARGUMENT = "argument"  # whatever the caller gave
    FROZEN = "frozen"  # a layer that was switched off, or that came from outside


@dataclass(frozen=True)
class Source:
    """One end of a gradient's way."""

    name: str  # "self.score", an argument's name, or the class's for all its parameters
    origin: Origin
    steps: int = 0  # calls between the value and this end, at most FARTHEST


Sources = frozenset[Source]
NOTHING: Sources = frozenset()


def learned(sources: Sources) -> list[str]:
    """The names of what would learn, nearest first."""
    return _names(sources, Origin.LEARNED)


def arguments(sources: Sources) -> list[str]:
    """The names of the arguments that a gradient would go on to, nearest first."""
    return _names(sources, Origin.ARGUMENT)


def _names(sources: Sources, origin: Origin) -> list[str]:
    wanted = sorted((one.steps, one.name) for one in sources if one.origin is origin)
    return list(dict.fromkeys(name for _, name in wanted))


def farther(sources: Sources, steps: int = 1) -> Sources:
    """The same ends, as seen from behind so many more calls."""
    return frozenset(replace(one, steps=min(one.steps + steps, FARTHEST)) for one in sources)
