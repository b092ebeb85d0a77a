"""A maker that leaves sizes as the user's file has them, and fills in what it leaves open."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gptdoctor.specimen.configurations import Maker
from gptdoctor.specimen.values import MISSING, Written


class AsWritten(Maker):
    """Makes instances at the sizes that the user's own defaults give."""

    def _argument(
        self,
        name: str,
        parameter: inspect.Parameter,
        made: Callable[..., Any],
        siblings: frozenset[str],
        depth: int,
    ) -> Written | None:
        """A value for one parameter that has no default, or one that says nothing."""
        if parameter.default is not MISSING and parameter.default is not None:
            return None
        return super()._argument(name, parameter, made, siblings, depth)

    def _left_large(
        self, made: Callable[..., Any], value: Any, given: Mapping[str, Written], depth: int
    ) -> Iterator[tuple[str, Written]]:
        """Nothing: that is how large it is meant to be."""
        yield from ()

    def _shrunk(self, values: Mapping[str, Any]) -> dict[str, Written]:
        """Nothing: the sizes stay."""
        return {}


def filled_in(code: str) -> tuple[str, ...]:
    """The arguments in the code of a call that are plain values, which the maker chose.

    Of `GPT(GPTConfig(vocab_size=97), causal=True)` these are vocab_size and causal.
    """
    return tuple(
        keyword.arg or "**"
        for node in ast.walk(ast.parse(code, mode="eval"))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if not isinstance(keyword.value, ast.Call)
    )
