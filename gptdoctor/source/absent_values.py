"""What is known of a value in a call that is given none of its optional inputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

Number = int | float | bool
Origins = tuple[str, ...]


class Kind(Enum):
    """What sort of thing a value is, as far as it is known."""

    ABSENT = "absent"  # None
    PRESENT = "present"  # not None
    NUMBER = "number"
    KEYED = "keyed"  # a mapping without any of the keys that the code asks it for
    ITEMS = "items"  # a list, tuple, set, dict or iterator, kept in the state
    UNKNOWN = "unknown"


# Neither this nor `Items` is frozen, though nothing changes them: each expression that is read may
# make one, and a frozen one takes three times as long to make.
@dataclass(unsafe_hash=True, kw_only=True)
class Value:
    """One value. `origins` are the optional inputs whose absence made it what it is."""

    kind: Kind
    number: Number = 0
    key: int = -1  # of ITEMS in the state
    origins: Origins = ()


UNKNOWN = Value(kind=Kind.UNKNOWN)
PRESENT = Value(kind=Kind.PRESENT)


@lru_cache(maxsize=256, typed=True)
def number(value: Number, origins: Origins = ()) -> Value:
    """A number or a truth that is known."""
    return Value(kind=Kind.NUMBER, number=value, origins=origins)


def unknown(*values: Value) -> Value:
    """An unknown value made of others."""
    for value in values:
        if value.origins:
            return Value(kind=Kind.UNKNOWN, origins=joined(*values))
    return UNKNOWN


def joined(*values: Value) -> Origins:
    """The origins of several values, each once, in order."""
    return tuple(dict.fromkeys(name for value in values for name in value.origins))


class PathEnd(Exception):
    """The code raises here, or leaves: nothing behind is run on this path."""

    def __init__(self, needed: Origins = ()) -> None:
        super().__init__()
        self.needed = needed  # inputs that are used as if they were there


@dataclass(kw_only=True)
class Items:
    """A container: its elements where they are known, and why it lacks others."""

    elements: tuple[Value, ...] | None  # None: not known, not even how many
    lacking: Origins = ()  # the inputs whose absence kept elements out
    mapping: bool = False  # a dict: `elements` are its values


@dataclass(eq=False, kw_only=True)
class State:
    """All names and containers at one point of one path."""

    names: dict[str, Value] = field(default_factory=dict)
    containers: dict[int, Items] = field(default_factory=dict)
    last_key: int = 0

    def copy(self) -> State:
        """A state that goes its own way."""
        return State(
            names=dict(self.names), containers=dict(self.containers), last_key=self.last_key
        )

    def take(self, other: State) -> None:
        """Become the other state."""
        self.names, self.containers = other.names, other.containers
        self.last_key = other.last_key

    def hold(
        self,
        elements: Iterable[Value] | None,
        lacking: Origins = (),
        *,
        mapping: bool = False,
    ) -> Value:
        """A new container."""
        self.last_key += 1
        known = None if elements is None else tuple(elements)
        self.containers[self.last_key] = Items(elements=known, lacking=lacking, mapping=mapping)
        return Value(kind=Kind.ITEMS, key=self.last_key)

    def items(self, value: Value) -> Items | None:
        """The container that a value is, or None."""
        return self.containers.get(value.key) if value.kind is Kind.ITEMS else None

    def elements(self, value: Value) -> tuple[Value, ...] | None:
        """What iterating over a value gives, where that is known; keys are not."""
        items = self.items(value)
        if items is None or items.elements is None:
            return None
        return tuple(UNKNOWN for _ in items.elements) if items.mapping else items.elements

    def add(self, value: Value, more: tuple[Value, ...] | None) -> None:
        """Put elements into a container; None: nobody knows which or how many."""
        items = self.items(value)
        if items is None:
            return
        both = items.elements is not None and more is not None
        elements = (*(items.elements or ()), *(more or ())) if both else None
        self.containers[value.key] = Items(
            elements=elements, lacking=items.lacking, mapping=items.mapping
        )

    def lack(self, name: str, origins: Origins) -> None:
        """Note that a container, or a count, was not added to because inputs are absent."""
        value = self.names.get(name, UNKNOWN)
        items = self.items(value)
        more = Value(kind=Kind.UNKNOWN, origins=origins)
        if items is not None:
            lacking = joined(Value(kind=Kind.UNKNOWN, origins=items.lacking), more)
            self.containers[value.key] = Items(
                elements=items.elements, lacking=lacking, mapping=items.mapping
            )
        elif value.kind is Kind.NUMBER:
            self.names[name] = number(value.number, joined(value, more))

    def empty(self, value: Value) -> Origins:
        """The inputs for whose absence a container is empty; () where it is not, or not so."""
        items = self.items(value)
        return items.lacking if items is not None and items.elements == () else ()

    def truth(self, value: Value) -> bool | None:
        """Whether a value counts as true, where that is known."""
        items = self.items(value)
        if items is not None:
            return None if items.elements is None else bool(items.elements)
        if value.kind is Kind.NUMBER:
            return bool(value.number)
        return False if value.kind is Kind.ABSENT else None

    def why(self, value: Value) -> Origins:
        """The absent inputs behind a value's truth."""
        items = self.items(value)
        return items.lacking if items is not None else value.origins


def merged(states: list[State]) -> State | None:
    """One state for several paths that meet: what differs is unknown. None where none arrives."""
    if not states:
        return None
    first, *others = states
    result = first.copy()
    result.last_key = max(state.last_key for state in states)
    for other in others:
        for name in {*result.names, *other.names}:
            mine, theirs = result.names.get(name), other.names.get(name)
            if mine is not theirs and mine != theirs:  # mostly neither path set it
                result.names[name] = UNKNOWN
        for key, items in other.containers.items():
            known = result.containers.get(key)
            if known is None:
                result.containers[key] = items
            elif known is not items and known.elements != items.elements:
                result.containers[key] = Items(elements=None, mapping=known.mapping)
    return result
