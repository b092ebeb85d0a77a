"""The statements of a class that make what its instances keep."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import replace

from torch import nn

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.loaded_text import tree_of_file
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
        for function in methods_named(file, kind.__qualname__):
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


def methods_named(file: str, qualname: str) -> Iterator[ast.FunctionDef]:
    """The methods of the class of this qualified name."""
    name = qualname.rpartition(".")[2]
    for node in ast.walk(tree_of_file(file)):
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
