"""What a model takes for its labels where it is given none: its ids, as they are."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from gptdoctor.specimen.roles import kind_of

_COPYING = frozenset({"clone", "detach", "contiguous"})


def default_labels(trees: Iterable[ast.Module], name: str, labels: str, ids: str) -> str:
    """The statement of a method of class `name` that takes its ids for its labels; "": none does.

    `labels = ids if labels is None else labels`, or an `if` around an assignment.  Labels that
    stand in for the ids themselves are to be shifted by the loss.
    """
    for node in (inner for tree in trees for inner in ast.walk(tree)):
        if isinstance(node, ast.ClassDef) and node.name == name:
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and labels in (own := _parameters(method)):
                    texts = {one for one in own if one == ids or kind_of(one) == "ids"}
                    for assigned, value in _without(method, labels):
                        if _plain(value) in texts - {labels}:
                            return ast.unparse(assigned)
    return ""


def _parameters(method: ast.FunctionDef) -> set[str]:
    given = method.args
    return {one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)}


def _without(method: ast.FunctionDef, labels: str) -> Iterator[tuple[ast.Assign, ast.expr]]:
    """The assignments to `labels` that hold where it is None, each with the value it gets."""
    for node in ast.walk(method):
        if isinstance(node, ast.If) and _is_none(node.test, labels):
            assigns = [one for one in node.body if isinstance(one, ast.Assign)]
            yield from ((one, one.value) for one in assigns if _binds(one, labels))
        elif isinstance(node, ast.Assign) and _binds(node, labels):
            value = node.value
            if isinstance(value, ast.IfExp) and _is_none(value.test, labels):
                yield node, value.body
            elif isinstance(value, ast.IfExp) and _is_none(value.test, labels, ast.IsNot):
                yield node, value.orelse


def _binds(node: ast.Assign, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in node.targets)


def _is_none(test: ast.expr, name: str, how: type[ast.cmpop] = ast.Is) -> bool:
    """Whether a test asks for `name is None`, or with `IsNot` for the contrary."""
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == name
        and isinstance(test.ops[0], how)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value is None
    )


def _plain(value: ast.expr) -> str:
    """The name of a value that is one, be it a copy of it; "" where it is anything else."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        if value.func.attr not in _COPYING or value.args:
            return ""
        value = value.func.value
    return value.id if isinstance(value, ast.Name) else ""
