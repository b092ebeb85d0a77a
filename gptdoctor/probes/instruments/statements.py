"""The statements of a class that make what its instances keep."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from torch import nn

from gptdoctor.core.findings import Place
from gptdoctor.specimen.places import project_path

_REGISTERING = frozenset({"register_buffer", "register_parameter"})


def assignment_place(module: nn.Module, name: str, root: str) -> Place | None:
    """Where the user's class gives its instances the attribute or buffer `name`."""
    for place, function in user_methods(type(module), root):
        for statement in ast.walk(function):
            value = _kept_value(statement, name)
            if value is not None:
                return replace(place, line=_made_at(value, function))
    return None


def user_methods(owner: type, root: str) -> Iterator[tuple[Place, ast.FunctionDef]]:
    """The text of all methods of a class and its bases that is the user's."""
    for kind in owner.__mro__:
        file = getattr(sys.modules.get(kind.__module__), "__file__", None)
        path = project_path(file, root) if file else None
        if path is None or file is None:
            continue
        for function in _methods(file, kind.__qualname__):
            symbol = f"{kind.__qualname__}.{function.name}".replace(".<locals>", "")
            yield Place(path=path, symbol=symbol, line=function.lineno), function


def forward_place(kind: type, root: str, entry: str = "forward") -> Place | None:
    """The method of the user's class, by its name alone."""
    for base in kind.__mro__:
        function = vars(base).get(entry)
        code = getattr(inspect.unwrap(function), "__code__", None) if function else None
        path = project_path(code.co_filename, root) if code is not None else None
        if path is not None:
            symbol = f"{base.__qualname__}.{entry}".replace(".<locals>", "")
            return Place(path=path, symbol=symbol, line=None)
    return None


def is_discarded(place: Place, root: str) -> bool:
    """Whether the statement at a place is a call of which the result is not taken."""
    tree = tree_of_file(str(Path(root) / place.path))
    line = place.line or 0
    return any(
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and node.lineno <= line <= (node.end_lineno or 0)
        for node in (ast.walk(tree) if tree is not None else ())
    )


def loop_around(place: Place, root: str) -> Place | None:
    """The innermost `for` of the user's text whose body holds a place; None where there is none."""
    tree = tree_of_file(str(Path(root) / place.path))
    line = place.line or 0
    heads = [
        node.lineno
        for node in (ast.walk(tree) if tree is not None else ())
        if isinstance(node, ast.For) and node.lineno < line <= (node.end_lineno or 0)
    ]
    return replace(place, line=max(heads)) if heads else None


def replacing_line(place: Place, root: str) -> int | None:
    """The line that gives an argument of the function at a place a new value from there.

    That of the statement itself, where it does so or gives its value back, unless the next one
    does nothing but give it a name; else of the first later one that takes what the statement
    named.  None: there is none.
    """
    tree, line = tree_of_file(str(Path(root) / place.path)), place.line or 0
    around = [node for node in _functions(tree) if node.lineno <= line <= (node.end_lineno or 0)]
    if not around:
        return None
    function = max(around, key=lambda node: node.lineno)
    arguments = {one.arg for one in (*function.args.posonlyargs, *function.args.args)}
    statements = _statements(function)
    at = next((n for n, one in enumerate(statements) if _covers(one, line)), None)
    if at is None:
        return None
    made, later = _assigned_names(statements[at]), statements[at + 1 :]
    given = [one for one in later if arguments & _assigned_names(one) or _is_return(one)]
    taking = [one for one in given if made & _read_names(one)]
    again = made & _read_names(statements[at])  # x = f(x), in a loop over blocks
    if _is_return(statements[at]) or arguments & made or again:
        renames = taking and taking[0] is later[0] and isinstance(taking[0].value, ast.Name)
        return later[0].lineno if renames and not _is_return(later[0]) else line
    return taking[0].lineno if taking else None


def _is_return(node: ast.Assign | ast.Return) -> bool:
    return isinstance(node, ast.Return)


def _statements(function: ast.FunctionDef) -> list[ast.Assign | ast.Return]:
    """The assignments and returns of a function, first to last."""
    found = [node for node in ast.walk(function) if isinstance(node, ast.Assign | ast.Return)]
    return sorted(found, key=lambda node: node.lineno)


def _assigned_names(node: ast.Assign | ast.Return) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    parts = (each for target in targets for each in ast.walk(target))
    return {each.id for each in parts if isinstance(each, ast.Name)}


def _read_names(node: ast.Assign | ast.Return) -> set[str]:
    parts = ast.walk(node.value) if node.value is not None else ()
    return {each.id for each in parts if isinstance(each, ast.Name)}


def _functions(tree: ast.Module | None) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.FunctionDef):
            yield node


def _covers(node: ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def assigned_at(place: Place, name: str, root: str, *, copied: bool = False) -> int | None:
    """The line of the last assignment to a local `name` before a place, in its function.

    `copied`: only where it gives it the value of another name.
    """
    function = _function_around(place, root)
    found = [
        node
        for node in (ast.walk(function) if function is not None else ())
        if isinstance(node, ast.Assign)
        and node.lineno <= (place.line or 0)
        and any(_names(target, name) for target in node.targets)
    ]
    last = max(found, key=lambda node: node.lineno, default=None)
    if last is None or (copied and not isinstance(last.value, ast.Name)):
        return None
    return last.lineno


def idle_statement(place: Place, root: str) -> Place | None:
    """The last statement before a place, in its function, that gives a name its own value."""
    function = _function_around(place, root)
    found = [
        node.lineno
        for node in (ast.walk(function) if function is not None else ())
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name)
        if node.lineno <= (place.line or 0)
        if any(_names(target, node.value.id) for target in node.targets)
    ]
    return replace(place, line=max(found)) if found else None


def copy_of_result(place: Place, root: str) -> Place | None:
    """The statement behind a place that gives what it made another name, and nothing else."""
    function = _function_around(place, root)
    nodes = list(ast.walk(function)) if function is not None else []
    assigned = [node for node in nodes if isinstance(node, ast.Assign)]
    made = {
        target.id
        for node in assigned
        for target in node.targets
        if isinstance(target, ast.Name)
        if node.lineno <= (place.line or 0) <= (node.end_lineno or 0)
    }
    copies = [
        node.lineno
        for node in assigned
        if isinstance(node.value, ast.Name) and node.value.id in made
        if node.lineno > (place.line or 0)
    ]
    return replace(place, line=min(copies)) if copies else None


def next_copy(place: Place, root: str) -> Place | None:
    """The first statement behind a place, in its function, that only gives a value another name."""
    function = _function_around(place, root)
    found = [
        node.lineno
        for node in (ast.walk(function) if function is not None else ())
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name)
        if node.lineno > (place.line or 0)
    ]
    return replace(place, line=min(found)) if found else None


def return_place(place: Place, root: str) -> Place:
    """The return of a method at a place that has one alone; else the place itself."""
    owner, _, name = place.symbol.rpartition(".")
    found = [
        node.lineno
        for function in _methods(str(Path(root) / place.path), owner)
        for node in ast.walk(function)
        if function.name == name and isinstance(node, ast.Return)
    ]
    return replace(place, line=found[0]) if len(found) == 1 else place


def after_lost_result(place: Place, root: str) -> int | None:
    """The line of the assignment after a call of which the result is named and never read.

    None where it is read, or where something else follows.
    """
    function = _function_around(place, root)
    block, index = _block_with(function, place.line or 0) if function is not None else ([], 0)
    made = block[index] if block else None
    if not isinstance(made, ast.Assign) or index + 1 >= len(block):
        return None
    names = {
        node.id
        for target in made.targets
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and node.id != "_"
    }
    rest = block[index + 1 :]
    read = any(_is_read(name, rest) for name in names)
    lost = bool(names) and not read and isinstance(rest[0], ast.Assign | ast.AugAssign)
    return rest[0].lineno if lost else None


def _is_read(name: str, statements: list[ast.stmt]) -> bool:
    """Whether some statement reads a name before one that gives it another value."""
    for statement in statements:
        found = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        kinds = [type(node.ctx) for node in found if node.id == name]
        if ast.Load in kinds:
            return True
        if kinds:
            return False
    return False


def _block_with(tree: ast.AST, line: int) -> tuple[list[ast.stmt], int]:
    """The innermost list of statements of which one covers a line, and which it is."""
    found: tuple[list[ast.stmt], int] = ([], 0)
    for node in ast.walk(tree):
        for _, block in ast.iter_fields(node):
            for index, each in enumerate(block if isinstance(block, list) else ()):
                if isinstance(each, ast.stmt) and each.lineno <= line <= (each.end_lineno or 0):
                    found = block, index  # walked from outside in
    return found


def _names(target: ast.expr, name: str) -> bool:
    each = target.elts if isinstance(target, ast.Tuple | ast.List) else (target,)
    return any(isinstance(node, ast.Name) and node.id == name for node in each)


def _function_around(place: Place, root: str) -> ast.FunctionDef | None:
    """The innermost function around a place."""
    tree = tree_of_file(str(Path(root) / place.path))
    line = place.line or 0
    found = [
        node
        for node in (ast.walk(tree) if tree is not None else ())
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return max(found, key=lambda node: node.lineno, default=None)


@lru_cache(maxsize=32)
def tree_of_file(file: str) -> ast.Module | None:
    """The syntax tree of a file; None where it is no Python."""
    try:
        return ast.parse(Path(file).read_text())
    except (OSError, SyntaxError, ValueError):
        return None


def _methods(file: str, qualname: str) -> Iterator[ast.FunctionDef]:
    """The methods of the class of this qualified name."""
    tree = tree_of_file(file)
    name = qualname.rpartition(".")[2]
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.ClassDef) and node.name == name:
            yield from (item for item in node.body if isinstance(item, ast.FunctionDef))


def _kept_value(statement: ast.AST, name: str) -> ast.expr | None:
    """The value that a statement keeps under `name`, if it does."""
    if isinstance(statement, ast.Call) and _called(statement) in _REGISTERING:
        key, value = (*statement.args, None, None)[:2]
        return value if isinstance(key, ast.Constant) and key.value == name else None
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Attribute) and target.attr == name:
                return statement.value
    return None


def _made_at(value: ast.expr, function: ast.FunctionDef) -> int:
    """The line of a value, or of the statement that drew its border where a local name holds it."""
    names = {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}
    if not _draws_border(value):
        for statement in ast.walk(function):
            targets = statement.targets if isinstance(statement, ast.Assign) else ()
            kept = any(isinstance(each, ast.Name) and each.id in names for each in targets)
            if isinstance(statement, ast.Assign) and kept and _draws_border(statement.value):
                return _border_line(statement.value)
    return _border_line(value)


def _draws_border(value: ast.expr) -> bool:
    """Whether some call in an expression makes a triangle."""
    calls = (node for node in ast.walk(value) if isinstance(node, ast.Call))
    return any(_called(call) in ("tril", "triu") for call in calls)


def _border_line(value: ast.expr) -> int:
    """The line of the call that draws the border of a mask, else of the value."""
    for node in ast.walk(value):
        if isinstance(node, ast.Call) and _called(node) in ("tril", "triu"):
            return node.lineno
    return value.lineno


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
