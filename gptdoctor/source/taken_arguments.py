"""Which arguments a function takes, and whether a call gives those."""

from __future__ import annotations

import ast

from gptdoctor.source.classes import FunctionNode

# How many arguments a call gives by their places, and the names of the others.
Way = tuple[int, tuple[str, ...]]


def way_of(call: ast.Call) -> Way | None:
    """How a call gives its arguments; None where it spreads some, by `*` or `**`."""
    names = [one.arg for one in call.keywords]
    plain = [name for name in names if name is not None]
    spread = [one for one in call.args if one.__class__ is ast.Starred]
    if spread or len(plain) < len(names):
        return None
    return len(call.args), tuple(plain)


class Shape:
    """The arguments that a function takes."""

    def __init__(self, function: FunctionNode, *, bound: bool) -> None:
        """`bound`: it gets itself first."""
        taken = function.args
        named = [*taken.posonlyargs, *taken.args]
        named = named[1:] if bound else named
        only = {one.arg for one in taken.posonlyargs}
        self._named = [one.arg for one in named]
        self._by_name = {one.arg for one in (*named, *taken.kwonlyargs)} - only
        self._more_names, self._more = taken.kwarg is not None, taken.vararg is not None
        optional = set(self._named[len(named) - len(taken.defaults) :] if taken.defaults else ())
        self._needed = [name for name in self._named if name not in optional]
        self._needed += [
            one.arg
            for one, default in zip(taken.kwonlyargs, taken.kw_defaults, strict=True)
            if default is None
        ]
        self._known: dict[Way, str | None] = {}

    def refuses(self, way: Way) -> str | None:
        """Why a call does not fit."""
        if way not in self._known:  # one thing is called in much the same way everywhere
            self._known[way] = self._refuses(*way)
        return self._known[way]

    def _refuses(self, count: int, given: tuple[str, ...]) -> str | None:
        strange = [name for name in given if name not in self._by_name]
        if strange and not self._more_names:
            return f"it takes no `{strange[0]}`"
        if count > len(self._named) and not self._more:
            return f"of {count} positional arguments it takes {len(self._named)}"
        first = self._named[:count]
        if twice := set(first).intersection(given):
            return f"it is given `{min(twice)}` twice"
        missing = [name for name in self._needed if name not in first and name not in given]
        return f"it needs `{missing[0]}` as well" if missing else None
