"""Which arguments a function takes, and whether a call gives those."""

from __future__ import annotations

import ast

from gptdoctor.source.classes import FunctionNode


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

    def refuses(self, call: ast.Call) -> str | None:
        """Why a call that spreads nothing does not fit."""
        count = len(call.args)
        given = [one.arg for one in call.keywords if one.arg is not None]
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
