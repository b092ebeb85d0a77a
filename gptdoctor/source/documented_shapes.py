"""How many dimensions an author says that an argument has: `x: [batch, time, channels]`."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.flow_functions import Function
from gptdoctor.source.kept import kept

# `x: (B, T, C)`, `x (B, T, C)`, `x of shape [B, T, C]`: the name, and what follows in brackets.
_SAID = (
    r"\b{name}\b`*\s*(?:\([^()]*ensor[^()]*\))?\s*(?::|-|=|of shape|has shape|is)?[^\n(\[]{{0,24}}"
)
_SIZES = r"[(\[]([\w*/+ -]+(?:,[\w*/+ -]+)+)[)\]]"
# What stands in brackets behind a name and is no size.
_TYPES = re.compile(
    r"\b(tensor|optional|default|int|float|str|bool|list|tuple|none|or|and)\b", re.I
)


@kept(64)
def documented_rank(function: Function, name: str) -> int:
    """The number of sizes that the docstring gives for a parameter, or 0."""
    told = ast.get_docstring(function.node, clean=False) or ""
    if function.name == "forward" and function.owner is not None:
        told += "\n" + (ast.get_docstring(function.owner.node, clean=False) or "")
    if name not in told:
        return 0
    pattern = re.compile(_SAID.format(name=re.escape(name)) + _SIZES)
    ranks = {
        found[1].count(",") + 1 for found in pattern.finditer(told) if not _TYPES.search(found[1])
    }
    return ranks.pop() if len(ranks) == 1 else 0
