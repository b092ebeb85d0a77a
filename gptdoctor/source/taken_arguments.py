"""Which arguments a function takes, and whether a call gives those."""

from __future__ import annotations

import ast

from gptdoctor.source.classes import FunctionNode

# How many arguments a call gives by their places, and the names of the others.
Way = tuple[int, tuple[str, ...]]


def way_of(call: ast.Call) -> Way | None:
    """How a call gives its arguments; None where it spreads some, by `*` or `**`."""
    for given in call.args:
        if given.__class__ is ast.Starred:
            return None
    if not call.keywords:
        return len(call.args), ()
    names = [one.arg for one in call.keywords]
    plain = tuple([name for name in names if name is not None])
    return (len(call.args), plain) if len(plain) == len(names) else None


class Shape:
    """The arguments that a function takes."""

    def __init__(self, function: FunctionNode, *, bound: bool) -> None:
        """`bound`: it gets itself first."""
        taken = function.args
        named = [one.arg for one in (*taken.posonlyargs, *taken.args)][bound:]
        only = max(0, len(taken.posonlyargs) - bound)  # so many are not given by name
        self._more_names, self._more = taken.kwarg is not None, taken.vararg is not None
        self._named, self._by_name = named, set(named[only:])
        self._needed = named[: max(0, len(named) - len(taken.defaults))]
        for one, default in zip(taken.kwonlyargs, taken.kw_defaults, strict=True):
            self._by_name.add(one.arg)
            if default is None:
                self._needed.append(one.arg)
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
