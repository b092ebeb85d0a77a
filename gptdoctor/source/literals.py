"""What stands written out in an expression: a text, an index that takes all."""

from __future__ import annotations

import ast


def written_text(node: ast.AST | None) -> str | None:
    """The text that a node is: of a key, a name in quotes, an equation; None for all else."""
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else None


def takes_all(part: ast.AST | None) -> bool:
    """Whether a part of an index is `:`."""
    return isinstance(part, ast.Slice) and part.lower is part.upper is part.step is None
