"""How a network's constructor sets it up, and where the class uses what was set.

The constructor is read by its statements alone; the whole class is walked once, and only where
a rule has found something in the constructor that it wants to follow.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from gptdoctor.source.classes import ClassInfo, FunctionNode, self_attribute
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_settings import attributes_set, settings_in
from gptdoctor.source.imports import is_none
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import children, every_node
from gptdoctor.source.project import Project
from gptdoctor.source.statements import first_line


# Not frozen, though nothing changes it: each assignment of each constructor gets one.
@dataclass(eq=False)
class Setting:
    """One value that a constructor gives to an attribute."""

    name: str
    value: ast.expr
    node: ast.AST  # the assignment, or the call that adds to the attribute


@dataclass(frozen=True, eq=False)
class Use:
    """One place at which a class names an attribute of its own."""

    node: ast.Attribute
    method: FunctionNode  # of the class's body

    @property
    def written(self) -> bool:
        """Whether the place binds or deletes the attribute."""
        return not isinstance(self.node.ctx, ast.Load)


@dataclass(frozen=True, eq=False)
class _MethodText:
    """What one method's text does with attributes of `self`."""

    method: FunctionNode
    first: int  # its lines
    last: int
    text: str

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The node right above each node."""
        return {child: node for node in every_node(self.method) for child in children(node)}

    @cached_property
    def walked(self) -> tuple[dict[str, list[Use]], set[str]]:
        """Where it names each attribute, and the last names of all that it calls."""
        uses: dict[str, list[Use]] = {}
        called: set[str] = set()
        for node in every_node(self.method):
            if isinstance(node, ast.Attribute):
                if node.value.__class__ is ast.Name and (name := self_attribute(node)):
                    uses.setdefault(name, []).append(Use(node, self.method))
            elif isinstance(node, ast.Call):
                called.add(called_name(node))
        return uses, called


@dataclass(frozen=True, eq=False)
class OwnText:
    """What one class's text does with its own attributes: a method is walked when it has to be."""

    info: ClassInfo

    @cached_property
    def _methods(self) -> list[_MethodText]:
        module = self.info.module
        return [
            _MethodText(method, first, last, module.segment(first, last))
            for method in self.info.methods.values()
            for first, last in [(first_line(method), method.end_lineno or method.lineno)]
        ]

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node around another one of a method."""
        found = (one.parents.get(node) for one in self._around(node))
        return next((parent for parent in found if parent is not None), None)

    def _around(self, node: ast.AST) -> list[_MethodText]:
        """The methods that may hold a node: the one at its line, if it has one."""
        line = getattr(node, "lineno", None)
        if line is None:  # a clause of a comprehension: one comes to it from below, in most cases
            return sorted(self._methods, key=lambda one: "parents" not in vars(one))
        return [one for one in self._methods if one.first <= line <= one.last]

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """All nodes around another one, innermost first, up to the method."""
        around = self.parent(node)
        while around is not None:
            yield around
            around = self.parent(around)

    def uses(self, name: str) -> list[Use]:
        """All places that name `self.NAME`."""
        return [use for one in self._saying(name) for use in one.walked[0].get(name, ())]

    def calls(self, *names: str) -> bool:
        """Whether any method calls something of one of these last names."""
        return any(name in one.walked[1] for name in names for one in self._saying(name))

    def _saying(self, name: str) -> Iterator[_MethodText]:
        """The methods in whose text a name stands; Python reads some letters as others."""
        if name.isascii() and name not in self.info.text:
            return
        yield from (one for one in self._methods if name in one.text or not name.isascii())


@dataclass(frozen=True, eq=False)
class Constructor:
    """The `__init__` of one class."""

    project: Project
    info: ClassInfo
    node: FunctionNode

    @property
    def of_network(self) -> bool:
        """Whether its class is a module of layers."""
        return self.project.is_network(self.info)

    @cached_property
    def function(self) -> Function:
        """The function, with the bindings of its names."""
        return functions_of(self.project, self.info.module)[self.node]

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """What it gives to attributes of `self`, in the order of the text."""
        return settings_of(self.node)

    @cached_property
    def calls(self) -> tuple[ast.Call, ...]:
        """The calls that are statements of their own."""
        found = settings_in(self.node.body)
        return tuple(node for node in found if isinstance(node, ast.Call))

    def made_once(self, name: str) -> bool:
        """Whether one statement of the constructor makes an attribute, and no other method does.

        A branch that does not make it may set it to None.
        """
        made = [one for one in self.settings if one.name == name and not is_none(one.value)]
        return len(made) == 1 and self._only_here(name)

    def _only_here(self, name: str) -> bool:
        uses = own_text(self.info).uses(name)
        return not any(use.written for use in uses if use.method is not self.node)

    @property
    def settled(self) -> bool:
        """Whether the class leaves it to torch how attributes are set and parameters found."""
        own = {"__setattr__", "__getattr__", "__getattribute__", "parameters", "named_parameters"}
        return own.isdisjoint(self.info.methods)


@kept(8)  # several rules read the lines of one constructor, one after the other
def lines_in(module: SourceModule, node: ast.stmt) -> str:
    """The lines of a definition: what no word of them says, none of its nodes does."""
    return module.lines_of(node)


@kept(64)
def settings_of(method: FunctionNode) -> tuple[Setting, ...]:
    """What a method gives to attributes of `self`, in the order of the text."""
    return tuple(
        Setting(name, value, node)
        for node in settings_in(method.body)
        for name, value in attributes_set(node)
    )


@kept(256)
def own_text(info: ClassInfo) -> OwnText:
    """The text of one class, walked when it is first asked."""
    return OwnText(info)


@kept(256)
def constructor_of(project: Project, info: ClassInfo) -> Constructor | None:
    """The constructor in a network's own body, or None."""
    found = _own_constructor(project, info)
    return found if found is not None and found.of_network else None


@kept(64)
def _own_constructor(project: Project, info: ClassInfo) -> Constructor | None:
    node = info.methods.get("__init__")
    return None if node is None else Constructor(project, info, node)


def constructor_at(
    node: ast.AST, project: Project, info: ClassInfo | None, parent: ast.AST | None
) -> Constructor | None:
    """The constructor that a definition directly below the class `info` is, or None.

    Of any class: whether it is a network may have to be looked up in other files, and is to be
    asked when all else speaks for it.
    """
    if info is None or info.node is not parent or info.methods.get("__init__") is not node:
        return None
    return _own_constructor(project, info)
