"""Code that we write, laid out for a reader."""

from __future__ import annotations

import ast

# Columns: with its indent the code fits a terminal of 80.  Longer calls get a line an argument.
WIDEST_CODE = 76


def laid_out(statement: str) -> str:
    """A statement that makes one call, with one argument a line where it is long."""
    if len(statement) <= WIDEST_CODE:
        return statement
    tree = ast.parse(statement).body[0]
    made = tree.value if isinstance(tree, ast.Assign | ast.Return) else None
    if not isinstance(made, ast.Call):
        return statement
    arguments = [ast.unparse(argument) for argument in (*made.args, *made.keywords)]
    head = "return" if isinstance(tree, ast.Return) else statement[: statement.index("=") + 1]
    inner = "".join(f"    {argument},\n" for argument in arguments)
    return f"{head} {ast.unparse(made.func)}(\n{inner})"
