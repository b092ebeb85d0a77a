"""Classes as the text shows them: methods, attributes, bases, what they are made of."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import calls_below
from gptdoctor.source.statements import first_line, statements_below

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)  # faster to ask for than the type of both
_BRANCHES = (ast.If, ast.Try)
_HOLDERS = frozenset({ast.ClassDef, *_BRANCHES})  # statements that may be or hold a class

# Bases from other packages that make a class a module of layers.
MODULE_BASES = frozenset({"Module", "LightningModule", "PreTrainedModel", "ScriptModule"})


@dataclass(frozen=True, eq=False)
class ClassInfo:
    """One class definition and the module that holds it."""

    module: SourceModule
    node: ast.ClassDef
    symbol: str  # qualified name in its module: "Outer.Inner"

    @property
    def name(self) -> str:
        """The name of the class."""
        return self.node.name

    @cached_property
    def text(self) -> str:
        """The lines of the class: what no word of them says, none of its nodes does."""
        first = first_line(self.node)
        return self.module.segment(first, self.node.end_lineno or first)

    @cached_property
    def bases(self) -> tuple[str, ...]:
        """The qualified names of the bases, without type arguments."""
        found = (self.module.names.qualified(_plain(base)) for base in self.node.bases)
        return tuple(name for name in found if name)

    @cached_property
    def methods(self) -> dict[str, FunctionNode]:
        """The functions defined in the body, by name; the last definition counts."""
        return {node.name: node for node in self.node.body if isinstance(node, FUNCTIONS)}

    @cached_property
    def attributes(self) -> dict[str, list[ast.expr]]:
        """What is assigned to `self.NAME` anywhere in the class, by name."""
        found: dict[str, list[ast.expr]] = {}
        for method in self.methods.values():
            for name, value in self_assignments(method):
                found.setdefault(name, []).append(value)
        return found

    @cached_property
    def called(self) -> frozenset[str]:
        """Qualified names of all that the class's text calls or hands on as an argument.

        What it only asks after (`isinstance(net, Model)`) is left out, and so is what hangs on
        `self`: no class or function of a file is called so.
        """
        names = self.module.names
        found = {
            names.qualified(value)
            for node in calls_below(self.node)
            if not _asks(node)
            for value in (node.func, *node.args)
            if value.__class__ is ast.Name or self_attribute(value) is None
        }
        return frozenset(name for name in found if name)

    def attribute_called(self, name: str) -> Iterator[str]:
        """Qualified names of the calls assigned to `self.name`: "torch.nn.ModuleList"."""
        for value in self.attributes.get(name, []):
            called = self.module.names.called(value)
            if called:
                yield called


def classes_of(module: SourceModule) -> list[ClassInfo]:
    """All classes of a module outside functions, outer before inner."""
    return list(_classes(module, module.tree.body, ""))


def _classes(module: SourceModule, body: list[ast.stmt], prefix: str) -> Iterator[ClassInfo]:
    for node in body:
        if node.__class__ not in _HOLDERS:
            continue  # nine of ten
        if isinstance(node, ast.ClassDef):
            symbol = f"{prefix}{node.name}"
            yield ClassInfo(module=module, node=node, symbol=symbol)
            yield from _classes(module, node.body, f"{symbol}.")
        elif isinstance(node, _BRANCHES):
            yield from _classes(module, list(_inner(node)), prefix)


def _inner(node: ast.If | ast.Try) -> Iterator[ast.stmt]:
    yield from node.body
    if isinstance(node, ast.Try):
        for handler in node.handlers:
            yield from handler.body
    yield from node.orelse


def self_assignments(method: FunctionNode) -> Iterator[tuple[str, ast.expr]]:
    """`self.NAME = value` and `self.NAME: T = value` of a method, in the order of the text.

    Of `self.A, self.B = a, b` each of the two.
    """
    for node in statements_below(method):
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        else:
            continue
        for target in targets:
            name = self_attribute(target)
            if name and node.value is not None:
                yield name, node.value
            elif target.__class__ is ast.Tuple and node.value.__class__ is ast.Tuple:
                yield from _side_by_side(target, node.value)


def _side_by_side(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[str, ast.expr]]:
    """The attributes of a tuple, each with what it gets of another."""
    names = target.elts if isinstance(target, ast.Tuple) else []
    values = value.elts if isinstance(value, ast.Tuple) else []
    if len(names) == len(values) and not any(isinstance(one, ast.Starred) for one in names):
        for one, given in zip(names, values, strict=True):
            name = self_attribute(one)
            if name:
                yield name, given


def self_attribute(node: ast.AST) -> str | None:
    """NAME where `node` is `self.NAME`."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr if node.value.id == "self" else None
    return None


def parameters(function: FunctionNode) -> list[ast.arg]:
    """The named parameters of a function, without `self` or `cls`."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [argument for argument in named if argument.arg not in ("self", "cls")]


def defaults_of(arguments: ast.arguments) -> dict[str, ast.expr]:
    """The default values by parameter."""
    count = len(arguments.defaults)
    positional = [*arguments.posonlyargs, *arguments.args][-count:] if count else []
    found = {one.arg: value for one, value in zip(positional, arguments.defaults, strict=True)}
    for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if value is not None:
            found[argument.arg] = value
    return found


def parameter_names(function: FunctionNode) -> list[str]:
    """Their names."""
    return [argument.arg for argument in parameters(function)]


def _asks(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in ("isinstance", "issubclass")


def _plain(base: ast.expr) -> ast.expr:
    return base.value if isinstance(base, ast.Subscript) else base
