"""Where the text of a module's class sets an attribute, and whether any text reads it."""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from inspect import unwrap
from pathlib import Path
from types import FunctionType

from torch import nn

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.loaded_text import text_of, tree_of_file
from gptdoctor.specimen.places import project_path, symbol_of
from gptdoctor.specimen.reads import project_modules

_COMMENT = re.compile(r"\s*#")
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
# Where attributes are named only to be made, filled or shown.
_MAKING = re.compile(r"__init__|_*init\w*|reset_\w+|post_init|tie_weights|\w*repr\w*|__setstate__")


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A statement that gives an attribute its value."""

    place: Place
    statement: ast.Assign | ast.AnnAssign | ast.AugAssign


def methods_of(owner: nn.Module, root: str) -> Iterator[tuple[FunctionType, ast.AST]]:
    """The methods of an object's classes that are the user's, with their trees, nearest first."""
    for function in _functions_of(owner, root):
        node = tree_of(function)
        if node is not None:
            yield function, node


def _functions_of(owner: nn.Module, root: str) -> Iterator[FunctionType]:
    for kind in type(owner).__mro__:
        for value in vars(kind).values():
            # a decorator of a library may stand in the place of the user's method
            function = unwrap(value) if isinstance(value, FunctionType) else None
            if (
                isinstance(function, FunctionType)
                and project_path(function.__code__.co_filename, root) is not None
            ):
                yield function


def assigned_at(owner: nn.Module, attribute: str, root: str) -> Assignment | None:
    """The statement that sets `attribute`, in the constructor before all other methods."""
    found = [
        Assignment(place=_place(function, statement.lineno, root), statement=statement)
        for function in _functions_of(owner, root)
        if attribute in function.__code__.co_names and (node := tree_of(function)) is not None
        for statement in _assignments(node, attribute)
    ]
    found.sort(key=lambda one: not one.place.symbol.endswith("__init__"))
    return found[0] if found else None


def is_read(owner: nn.Module, attribute: str, root: str) -> bool:
    """Whether any loaded file of the user's reads this attribute of `owner`, or may.

    What a constructor or an initialiser does with it does not count, nor does `self.norm` in a
    class that `owner` is not of; `block.norm` does, and a text: `getattr(self, "norm")`.
    """
    word = re.compile(rf"[.'\"]{re.escape(attribute)}\b")
    kinds = {"", *(kind.__name__ for kind in type(owner).__mro__)}
    return any(
        (kind, attribute) in _read_in(filename)
        for filename in loaded_files(root)
        if word.search(text_of(filename))
        for kind in kinds
    )


def commented_line(filename: str | Path, number: int) -> str:
    """The text of a line, with the comments right above it."""
    name = str(filename)
    found = [linecache.getline(name, number)]
    while number > 1 and _COMMENT.match(linecache.getline(name, number - 1)):
        number -= 1
        found.insert(0, linecache.getline(name, number))
    return "".join(found).strip()


def loaded_files(root: str) -> Iterator[str]:
    """The files of the user's that some loaded module came from."""
    for module in project_modules(root):
        yield str(module.__file__)


def _place(function: FunctionType, line: int, root: str) -> Place:
    code = function.__code__
    path = project_path(code.co_filename, root) or ""
    return Place(path=path, symbol=symbol_of(code), line=line)


def _assignments(node: ast.AST, attribute: str) -> Iterator[ast.Assign | ast.AnnAssign]:
    for one in ast.walk(node):
        if isinstance(one, ast.Assign | ast.AnnAssign):
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
            if any(_sets(target, attribute) for target in targets):
                yield one


def _sets(target: ast.expr, attribute: str) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return any(_sets(each, attribute) for each in target.elts)
    return (
        isinstance(target, ast.Attribute)
        and target.attr == attribute
        and isinstance(target.value, ast.Name)
    )


def tree_of(function: FunctionType) -> ast.AST | None:
    """The definition of a function; None where its text is not known."""
    first = function.__code__.co_firstlineno
    return _functions(function.__code__.co_filename).get(first)


@lru_cache(maxsize=64)
def _functions(filename: str) -> dict[int, ast.AST]:
    """The functions of a file by their first line, decorators included."""
    tree = tree_of_file(filename)
    return {
        min([node.lineno, *(each.lineno for each in node.decorator_list)]): node
        for node in ast.walk(tree)
        if isinstance(node, _FUNCTION)
    }


@lru_cache(maxsize=256)
def _read_in(filename: str) -> frozenset[tuple[str, str]]:
    """All attributes that a file reads outside of constructors, and all its texts.

    Each with the class whose own attribute it is, "" where it may be anyone's.
    """
    found: set[tuple[str, str]] = set()
    waiting: list[tuple[ast.AST, str, bool]] = [(tree_of_file(filename), "", False)]
    while waiting:
        node, kind, making = waiting.pop()
        if isinstance(node, _FUNCTION):
            making = _MAKING.fullmatch(node.name) is not None
        elif isinstance(node, ast.ClassDef):
            kind = node.name
        if not making and isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            own = isinstance(node.value, ast.Name) and node.value.id == "self"
            found.add((kind if own else "", node.attr))
        elif not making and isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(("", node.value))
        waiting += [(child, kind, making) for child in ast.iter_child_nodes(node)]
    return frozenset(found)
