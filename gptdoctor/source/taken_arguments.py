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
        self._taken, self._bound = function.args, bound
        self._known: dict[Way, str | None] = {}

    def fits_by_number(self, call: ast.Call) -> bool:
        """Whether the number of its arguments alone tells that a call fits, as of most.

        One that spreads some of them may fit, too.
        """
        taken = self._taken
        if call.keywords or taken.kwonlyargs:
            return False
        most = len(taken.posonlyargs) + len(taken.args) - self._bound
        return most - len(taken.defaults) <= len(call.args) <= most

    def refuses(self, way: Way) -> str | None:
        """Why a call does not fit."""
        if way not in self._known:  # one thing is called in much the same way everywhere
            self._known[way] = self._refuses(*way)
        return self._known[way]

    def _refuses(self, count: int, given: tuple[str, ...]) -> str | None:
        taken, bound = self._taken, self._bound
        named = [one.arg for one in (*taken.posonlyargs, *taken.args)][bound:]
        only = max(0, len(taken.posonlyargs) - bound)  # so many are not given by name
        by_name = {*named[only:], *(one.arg for one in taken.kwonlyargs)}
        strange = [name for name in given if name not in by_name]
        if strange and taken.kwarg is None:
            return f"it takes no `{strange[0]}`"
        if count > len(named) and taken.vararg is None:
            return f"of {count} positional arguments it takes {len(named)}"
        first = named[:count]
        if twice := set(first).intersection(given):
            return f"it is given `{min(twice)}` twice"
        missing = [name for name in self._needed(named) if name not in first and name not in given]
        return f"it needs `{missing[0]}` as well" if missing else None

    def _needed(self, named: list[str]) -> list[str]:
        """The names of the arguments without a default."""
        taken = self._taken
        pairs = zip(taken.kwonlyargs, taken.kw_defaults, strict=True)
        needed = named[: max(0, len(named) - len(taken.defaults))]
        return needed + [one.arg for one, default in pairs if default is None]
