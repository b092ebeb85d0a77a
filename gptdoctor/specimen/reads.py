"""Which keys a model reads from its configuration, told by its source.

Many models take one object, `config` or `cfg`, of which the text of the constructor says no more
than the keys that are read: `cfg["emb_dim"]`, `config.n_head`, `cfg.get("bias", False)`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.abc import InspectLoader
from types import ModuleType
from typing import Any

from torch import nn

from gptdoctor.specimen.places import loaded_modules, project_path

# How the one object that holds all sizes is called.
CONFIG_NAMES = frozenset(
    {
        "args",
        "c",
        "cfg",
        "conf",
        "config",
        "configs",
        "hparams",
        "hps",
        "kwargs",
        "model_args",
        "model_cfg",
        "model_config",
        "options",
        "opts",
        "params",
        "s",
        "settings",
        "spec",
    }
)


Bound = Mapping[str, list[str]]  # names, and the keys from the object to what each stands for

# What else a constructor was given: never the same object as the one that has a name of its own.
_REST = frozenset({"kwargs"})


@dataclass
class Reads:
    """The keys read from one object: each with what is read from it in turn."""

    keys: dict[str, Reads] = field(default_factory=dict)
    subscripted: bool = False  # cfg["key"] rather than cfg.key
    defaults: dict[str, ast.expr] = field(default_factory=dict)  # of cfg.get("key", default)

    def at(self, path: Iterable[str]) -> Reads:
        """The reads at the end of `path`, made where missing."""
        found = self
        for key in path:
            found = found.keys.setdefault(key, Reads())
        return found


def project_modules(root: str) -> Iterator[ModuleType]:
    """The loaded modules whose files lie in the user's project."""
    for module in loaded_modules(root):
        filename = getattr(module, "__file__", None)
        if isinstance(filename, str) and project_path(filename, root) is not None:
            yield module


def source_of(module: ModuleType) -> str:
    """The text of a module as its loader served it, which need not be what lies on disk."""
    loader = getattr(module, "__loader__", None)
    if isinstance(loader, InspectLoader):
        try:
            return loader.get_source(module.__name__) or ""
        except (ImportError, OSError):
            return ""
    return ""


Makes = ast.ClassDef | ast.FunctionDef  # what a model is made by


def classes_in(modules: Iterable[ModuleType], names: frozenset[str]) -> list[Makes]:
    """The class statements of `modules`, and functions where their names are among those given.

    Without `names` all classes; else those that are called so.
    """
    # Parsing the hundreds of modules of a large package would take seconds.
    holding = (module for module in modules if not names or names & vars(module).keys())
    found = [node for module in holding for node in _definitions(source_of(module))]
    if not names:
        return [node for node in found if isinstance(node, ast.ClassDef)]
    return [node for node in found if node.name in names]


def is_own_module(name: str, root: str) -> bool:
    """Whether the loaded module called `name` is the user's."""
    filename = getattr(sys.modules.get(name), "__file__", None)
    return isinstance(filename, str) and project_path(filename, root) is not None


def tree_of(module: ModuleType) -> ast.Module:
    """The text of a module, parsed."""
    return _parsed(source_of(module))


@cache  # asked for each constructor, each variant and each lesson of a refusal
def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])


@cache
def _definitions(text: str) -> tuple[Makes, ...]:
    tree = _parsed(text)
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return (*classes, *functions)


def reads_of(parameter: str, classes: Iterable[Makes]) -> Reads:
    """What `classes` read from the object that their constructors call `parameter` or the like."""
    aliases = CONFIG_NAMES - _REST if parameter in CONFIG_NAMES - _REST else frozenset({parameter})
    reads = Reads()
    for node in classes:
        given = aliases & _constructor_parameters(node)
        if not given:
            continue  # most classes, of which some are long
        bound = _bound(node, given)
        called = {id(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}
        for access in ast.walk(node):
            if id(access) not in called:  # a method of the object is no key
                _collect(access, bound, reads)
    return reads


def _bound(node: Makes, names: frozenset[str]) -> Bound:
    """What stands for the object or for a part of it: `model = cfg["model"]` as well."""
    bound: dict[str, list[str]] = {name: [] for name in names}
    bound |= {f"self.{name}": [] for name in names}
    for statement in ast.walk(node):
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, path = _dotted(statement.targets[0]), _path(statement.value, bound)
            if path and target is not None:  # a name that is given away again keeps its meaning
                bound.setdefault(target, path)
    return bound


def _dotted(node: ast.expr) -> str | None:
    """`name` or `self.name`."""
    if isinstance(node, ast.Name):
        return node.id
    own = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    if own and isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
        return f"self.{node.attr}"
    return None


def _constructor_parameters(node: Makes) -> frozenset[str]:
    """The names of the parameters of `__init__`, or of the function."""
    own = [node] if isinstance(node, ast.FunctionDef) else node.body
    for item in own:
        if isinstance(item, ast.FunctionDef) and (item is node or item.name == "__init__"):
            arguments = item.args
            every = arguments.posonlyargs + arguments.args + arguments.kwonlyargs
            extra = [arguments.kwarg] if arguments.kwarg else []
            return frozenset(argument.arg for argument in every + extra)
    return frozenset()


def _collect(node: ast.AST, bound: Bound, reads: Reads) -> None:
    """Note `node` where it reads a key of one of the names `bound`."""
    if isinstance(node, ast.Call):
        _collect_call(node, bound, reads)
        return
    if not isinstance(node, ast.Attribute | ast.Subscript) or not isinstance(node.ctx, ast.Load):
        return
    path = _path(node, bound)
    if path and not path[-1].startswith("__"):
        holder = reads.at(path[:-1])
        holder.at(path[-1:])
        holder.subscripted |= isinstance(node, ast.Subscript)


def _collect_call(node: ast.Call, bound: Bound, reads: Reads) -> None:
    """`cfg.get("key", default)`, `cfg.pop("key", default)` and `getattr(cfg, "key", default)`."""
    called, arguments = node.func, node.args
    if isinstance(called, ast.Attribute) and called.attr in ("get", "pop"):
        path, subscripted = _path(called.value, bound), True
    elif isinstance(called, ast.Name) and called.id == "getattr" and len(arguments) > 1:
        path, subscripted, arguments = _path(arguments[0], bound), False, arguments[1:]
    else:
        return
    key = arguments[0] if arguments else None
    if path is None or not isinstance(key, ast.Constant) or not isinstance(key.value, str):
        return
    holder = reads.at(path)
    holder.at([key.value])
    holder.subscripted |= subscripted
    if len(arguments) > 1:
        holder.defaults.setdefault(key.value, arguments[1])


def _path(node: ast.expr, bound: Bound) -> list[str] | None:
    """The keys from a bound name (or `self.` that name) to `node`; None: it leads elsewhere."""
    name = _dotted(node)
    if name is not None:
        return bound.get(name)
    if isinstance(node, ast.Attribute):
        path = _path(node.value, bound)
        return None if path is None else [*path, node.attr]
    if isinstance(node, ast.Subscript):
        key = node.slice
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            path = _path(node.value, bound)
            return None if path is None else [*path, key.value]
    return None


def makes_modules(made: Any) -> bool:
    """Whether `made` gives modules, not configurations: a class of them, or a function."""
    return not isinstance(made, type) or issubclass(made, nn.Module)
