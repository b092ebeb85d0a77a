"""Sizes that a model reads from its modules as it is made or run: constants, and what holds them.

They are changed where they are: classes that read `n_embd`, `S.width` or `CFG["dim"]` take no
argument that could be given instead.
"""

from __future__ import annotations

import argparse
import ast
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from gptdoctor.specimen.places import FOREIGN_FOLDERS
from gptdoctor.specimen.reads import Makes, classes_in, is_own_module, project_modules, tree_of
from gptdoctor.specimen.small_names import given_in
from gptdoctor.specimen.values import Written, keywords

# Of plain values those that tell a tiny model wants changed.
Shrink = Callable[[Mapping[str, Any]], dict[str, Written]]


@dataclass(frozen=True, kw_only=True)
class Change:
    """New values for some names of a holder: a module, a dictionary, an object or a class."""

    holder: Any
    values: Mapping[str, Any]
    before: Mapping[str, Any]
    code: str  # an expression that does it

    def make(self) -> None:
        """Put the values in their places."""
        self._put(self.values)

    def undo(self) -> None:
        """Put back what was there before."""
        self._put(self.before)

    def _put(self, values: Mapping[str, Any]) -> None:
        if isinstance(self.holder, dict):
            self.holder.update(values)
        elif isinstance(self.holder, type):
            for name, value in values.items():
                setattr(self.holder, name, value)
        else:
            vars(self.holder).update(values)  # also where a frozen dataclass would refuse


def changes(
    module: types.ModuleType, root: str, family: frozenset[str], shrink: Shrink
) -> Iterator[Change]:
    """What makes the sizes small that the classes called `family` read from their modules."""
    # The modules that an installed package shares among its models are no place to set sizes.
    others = () if Path(root).name in FOREIGN_FOLDERS else project_modules(root)
    for each in dict.fromkeys([module, *others]):
        classes = classes_in([each], family)
        if classes:
            yield from _of_module(each, classes, root, shrink)


def _functions(module: types.ModuleType) -> Iterator[ast.AST]:
    """The functions at the top of a module: classes call them."""
    body = tree_of(module).body
    yield from (node for node in body if isinstance(node, ast.FunctionDef))


def _of_module(
    module: types.ModuleType, classes: list[Makes], root: str, shrink: Shrink
) -> Iterator[Change]:
    """What changes the constants of one module, and the holders that it knows by name."""
    names, keys = set(), dict[str, set[str]]()
    readers = [*classes, *_functions(module)]
    for node in (node for reader in readers for node in ast.walk(reader)):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.value, ast.Name):
            keys.setdefault(node.value.id, set()).add(_key(node))
    known = vars(module)
    given = {name: Written(one.value, one.code) for name, one in given_in(module).items()}
    chosen = given | shrink({name: known[name] for name in sorted(names) if name in known})
    if chosen:
        witness = next((one.name for one in classes if one.name in known), None)
        # by a class of the module, so that it holds where the code is pasted as well
        home = "globals()" if witness is None else f"vars(sys.modules[{witness}.__module__])"
        yield _change(module, known, chosen, f"{home}.update({keywords(chosen)})")
    for name, read in keys.items():
        if _may_hold(known.get(name), root):
            yield from _of_holder(known[name], name, read, shrink)


def _key(node: ast.Attribute | ast.Subscript) -> str:
    """What is read: the attribute's name, or the key where it is a constant."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return str(node.slice.value) if isinstance(node.slice, ast.Constant) else ""


def _may_hold(holder: Any, root: str) -> bool:
    """Whether sizes in this object are the user's to set, and no network's."""
    if isinstance(holder, dict | types.SimpleNamespace | argparse.Namespace):
        return True
    if isinstance(holder, types.ModuleType):
        return is_own_module(holder.__name__, root)
    kind = holder if isinstance(holder, type) else type(holder)
    return is_own_module(kind.__module__, root) and not issubclass(kind, nn.Module)


def _of_holder(holder: Any, code: str, read: set[str], shrink: Shrink) -> Iterator[Change]:
    """The change of an object, a class or a dictionary, of which the keys `read` are read."""
    if isinstance(holder, dict):
        held, how = holder, f"{code}.update"
    elif isinstance(holder, type):
        held, how = {name: getattr(holder, name, None) for name in read}, "setattr"
    elif hasattr(holder, "__dict__"):
        held, how = dict(vars(holder)), f"vars({code}).update"
    else:
        return
    chosen = shrink({str(name): value for name, value in held.items() if name in read})
    if not chosen:
        return
    told = f"{how}({keywords(chosen)})"
    if how == "setattr":
        told = f"[setattr({code}, *each) for each in dict({keywords(chosen)}).items()]"
    yield _change(holder, held, chosen, told)


def _change(
    holder: Any, held: Mapping[str, Any], chosen: Mapping[str, Written], code: str
) -> Change:
    return Change(
        holder=holder,
        values={name: value.value for name, value in chosen.items()},
        before={name: held[name] for name in chosen},
        code=code,
    )
