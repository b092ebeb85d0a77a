"""Small values for names of a module whose own statements could not be run."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from gptdoctor.specimen.sizes import role_of, size_for
from gptdoctor.specimen.variants import VARIANTS

_DEVICE = re.compile(r"(?:\w+_)?device(?:_type|_name)?")
# What has one entry for each id; only ever counted to learn how large the vocabulary is.
_ENTRIES = re.compile(
    r"(?:\w+_)?(?:chars|characters|letters|symbols|vocab(?:ulary)?|alphabet|words|tokens|[si]to[si])"
    r"|\w+(?:2|_to_)(?:i|id|ids|idx|ix|int|index|char|word|token)|(?:id|idx|ix|i|index)(?:2|_to_)\w+"
)
# Where a process stands among others, when there is one alone.
_ALONE = {"rank": 0, "local_rank": 0, "global_rank": 0, "world_size": 1, "local_world_size": 1}
# Roles whose number says something that no name tells.
_UNTOLD = frozenset({"kept", "token"})


@dataclass(frozen=True)
class Given:
    """A value that we give to a name of the user's, and the code that makes it."""

    value: Any
    code: str


# Where a module keeps its own list of them.
_LIST = "__given_by_gptdoctor__"


def give(module: ModuleType, given: Mapping[str, Given]) -> None:
    """Note the names in a module that have values of ours, its own and those it imported."""
    own = {name: one for name, one in given.items() if vars(module).get(name) is one.value}
    vars(module)[_LIST] = own


def given_in(module: ModuleType) -> Mapping[str, Given]:
    """The names in a loaded module that have values of ours."""
    own: Mapping[str, Given] = vars(module).get(_LIST, {})
    return own


def value_by_name(name: str, tree: ast.Module) -> Given | None:
    """A small value for `name`, as the module reads it; None: nothing tells what it may be."""
    lowered = name.lower()
    if lowered in _ALONE:
        return Given(_ALONE[lowered], str(_ALONE[lowered]))
    if _DEVICE.fullmatch(lowered):
        return Given("cpu", "'cpu'")
    vocabulary = VARIANTS[0].sizes["vocabulary"]
    if _ENTRIES.fullmatch(lowered) and _is_counted(name, tree):
        return Given(range(vocabulary), f"range({vocabulary})")
    role = role_of(name)
    if role is None or role in _UNTOLD or _is_an_object(name, tree):
        return None
    size = size_for(name, None, VARIANTS[0])
    return Given(size, str(size))


def _is_counted(name: str, tree: ast.Module) -> bool:
    """Whether `len(name)` is asked."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "len"
        and len(node.args) == 1
        and isinstance(node.args[0], ast.Name)
        and node.args[0].id == name
        for node in ast.walk(tree)
    )


def _is_an_object(name: str, tree: ast.Module) -> bool:
    """Whether the module asks more of `name` than a number can give."""
    return any(
        isinstance(part, ast.Name) and part.id == name
        for node in ast.walk(tree)
        for part in [_asked_for_more(node)]
    )


def _asked_for_more(node: ast.AST) -> ast.expr | None:
    """What is subscripted, called or iterated by `node`, or has an attribute read."""
    if isinstance(node, ast.Subscript | ast.Attribute):
        return node.value
    if isinstance(node, ast.Call):
        return node.func
    return node.iter if isinstance(node, ast.For | ast.comprehension) else None
