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


def _said_first(function: Function) -> str:
    """The comments between a function's head and its first statement: of what it is given."""
    node = function.node
    first = next((one for one in node.body if not _is_docstring(one)), node.body[-1])
    lines = function.module.lines[node.lineno - 1 : first.lineno - 1]
    comments = (line.partition("#")[2] for line in lines if "#" in line)
    return "\n" + "\n".join(comments)


def _is_docstring(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant)


@kept(64)
def documented_rank(function: Function, name: str) -> int:
    """The number of sizes that the docstring gives for a parameter, or 0."""
    told = ast.get_docstring(function.node, clean=False) or ""
    if function.name == "forward" and function.owner is not None:
        told += "\n" + (ast.get_docstring(function.owner.node, clean=False) or "")
    told += _said_first(function)
    if name not in told:
        return 0
    if len(name) == 1:  # "a (batch, time) tensor" speaks of none that is called a
        told = re.sub(rf"\b{name}\b(?!`*\s*:)", "", told)
    pattern = re.compile(_SAID.format(name=re.escape(name)) + _SIZES)
    ranks = {
        found[1].count(",") + 1 for found in pattern.finditer(told) if not _TYPES.search(found[1])
    }
    return ranks.pop() if len(ranks) == 1 else 0
