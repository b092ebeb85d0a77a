"""What the text says around a line that a run has shown."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.loaded_text import covers, tree_at
from gptdoctor.probes.instruments.read_lines import is_near_zero

Function = ast.FunctionDef | ast.AsyncFunctionDef


def function_at(place: Place, root: str) -> Function | None:
    """The innermost function around a place; None: there is none, or its text is not at hand."""
    line = place.line or 0
    found = [
        node
        for node in ast.walk(tree_at(place, root))
        if isinstance(node, Function) and covers(node, line)
    ]
    return max(found, key=lambda node: node.lineno, default=None)


def idle_line(place: Place, root: str) -> int | None:
    """The line in the function around a place that gives a name the value it has: `x = x`."""
    for node in _statements(place, root):
        if isinstance(node, ast.Assign) and _copied(node) == _bound(node) != "":
            return node.lineno
    return None


def only_reads(place: Place, root: str) -> bool:
    """Whether the statement at a place does nothing but read an element: `x = logits[:, -1]`."""
    statement = _statement(place, root)
    value = statement.value if isinstance(statement, ast.Assign) else None
    return isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name)


def next_reading(place: Place, root: str) -> int | None:
    """The line after a place that is the first to read what the statement there gives a name."""
    statement = _statement(place, root)
    name = _bound(statement)
    for node in _statements(place, root):
        after = statement is not None and node.lineno > (statement.end_lineno or 0)
        if name and after and name in _read(node):
            return node.lineno
    return None


def given_line(place: Place, root: str) -> int | None:
    """The line above a place that copies or cuts what a call there is given: `x = text[:, -8:]`.

    Of a name that is given as it is, and that nothing else gives a value.
    """
    statement = _statement(place, root)
    read = _handed(statement) if statement is not None else set()
    for node in _statements(place, root):
        name = _bound(node)
        if statement is None or node.lineno >= statement.lineno or name not in read:
            continue
        value = node.value if isinstance(node, ast.Assign) else None
        whole = value.value if isinstance(value, ast.Subscript) else value
        if isinstance(whole, ast.Name) and _bindings(place, root, name) == 1:
            return node.lineno
    return None


def first_given_line(place: Place, root: str) -> int | None:
    """The same of what a call is given when it is first made, whatever it is given later.

    A loop may give the name another value, below the call or in a branch of its own.
    """
    for node, value in _last_bindings(place, root, branches=False):
        whole = value.value if isinstance(value, ast.Subscript) else value
        if isinstance(whole, ast.Name):
            return node.lineno
    return None


def renaming_line(place: Place, root: str) -> int | None:
    """The line above a place that gives what a call there is given another name: `probs = part`."""
    for node, value in _last_bindings(place, root, branches=True):
        if isinstance(value, ast.Name):
            return node.lineno
    return None


def admitting_line(place: Place, root: str, name: str) -> int | None:
    """The line of the `if` that lets a number near zero in to a place; None: there is none."""
    function, line = function_at(place, root), place.line or 0
    around = [
        node
        for node in (ast.walk(function) if function is not None else ())
        if isinstance(node, ast.If)
        and node.body[0].lineno <= line <= (node.body[-1].end_lineno or 0)
    ]
    lines = [
        node.lineno
        for node in around
        for one in ast.walk(node.test)
        if isinstance(one, ast.Compare) and is_near_zero(one, name)
    ]
    return max(lines, default=None)


def _statements(place: Place, root: str) -> Iterator[ast.stmt]:
    """The simple statements of the function around a place, in the order of the text."""
    function = function_at(place, root)
    found = [
        node
        for node in (ast.walk(function) if function is not None else ())
        if isinstance(node, ast.stmt) and not hasattr(node, "body")
    ]
    yield from sorted(found, key=lambda node: node.lineno)


def _statement(place: Place, root: str) -> ast.stmt | None:
    line = place.line or 0
    return next((one for one in _statements(place, root) if covers(one, line)), None)


def _bound(statement: ast.stmt | None) -> str:
    """The one name that a statement gives a value; "": none, or several."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""


def _handed(statement: ast.stmt) -> set[str]:
    """The names that the calls in a statement are given as they are."""
    calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
    given = [each for call in calls for each in (*call.args, *(one.value for one in call.keywords))]
    return {each.id for each in given if isinstance(each, ast.Name)}


def _bindings(place: Place, root: str, name: str) -> int:
    """How often the function around a place gives a name a value."""
    function = function_at(place, root)
    return sum(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
        for node in (ast.walk(function) if function is not None else ())
    )


def _last_bindings(
    place: Place, root: str, *, branches: bool
) -> Iterator[tuple[ast.stmt, ast.expr]]:
    """The statement above a place that last gives each name a value that a call there is given.

    Without `branches` those in a branch that the place does not lie in do not count.
    """
    statement, function = _statement(place, root), function_at(place, root)
    if statement is None or function is None:
        return
    names = _handed(statement)
    for node in reversed(list(_statements(place, root))):
        if node.lineno >= statement.lineno or _bound(node) not in names:
            continue
        if branches or not _apart(function, node, statement):
            names -= {_bound(node)}
            if isinstance(node, ast.Assign):
                yield node, node.value


def _apart(function: Function, node: ast.stmt, other: ast.stmt) -> bool:
    """Whether a statement lies in a branch of an `if` in which another one does not."""
    asked = (each for each in ast.walk(function) if isinstance(each, ast.If))
    parts = [body for each in asked for body in (each.body, each.orelse) if body]
    return any(
        any(covers(each, node.lineno) for each in body)
        and not any(covers(each, other.lineno) for each in body)
        for body in parts
    )


def _copied(statement: ast.Assign) -> str:
    return statement.value.id if isinstance(statement.value, ast.Name) else ""


def _read(statement: ast.stmt) -> set[str]:
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
