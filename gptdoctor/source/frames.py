"""A function as one call of it runs, or the statements of a script, which run without one.

Training is written in pieces: a script, a function for an epoch, a closure for a step.  A frame
knows what its caller gave, so that a helper's `opt` is the script's `optimizer`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gptdoctor.source.classes import FunctionNode, self_attribute
from gptdoctor.source.flow_bindings import Binding, Bindings, bindings_in
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.source.unparsed import bases_defining, bases_saying


@dataclass(frozen=True, eq=False)
class Frame:
    """The statements of one function or module, and what the call of it brought."""

    project: Project
    module: SourceModule
    function: Function | None  # None: the module's own statements
    given: Mapping[str, ast.expr] = field(default_factory=dict)  # by parameter
    caller: Frame | None = None

    @property
    def body(self) -> list[ast.stmt]:
        """The statements."""
        return self.module.tree.body if self.function is None else self.function.node.body

    @cached_property
    def bindings(self) -> Bindings:
        """The bindings of its names."""
        return _of_module(self.module) if self.function is None else self.function.bindings

    @property
    def depth(self) -> int:
        """How many calls lie between the statements that are read and these."""
        return 0 if self.caller is None else self.caller.depth + 1

    def runs(self, node: FunctionNode) -> bool:
        """Whether a function is running already: itself, or a caller."""
        here = self.function is not None and self.function.node is node
        return here or (self.caller is not None and self.caller.runs(node))

    def bound(self, name: str) -> tuple[Frame, list[Binding]]:
        """All bindings of a name where it is bound: here, in a function around, in the module."""
        function = self.function
        if name in self.bindings.by_name:
            return self, self.bindings.by_name[name]
        while function is not None and function.outer is not None:
            function = function.outer
            if name in function.bindings.by_name:
                frame = Frame(self.project, self.module, function)
                return frame, function.bindings.by_name[name]
        module = Frame(self.project, self.module, None)
        return module, module.bindings.by_name.get(name, [])

    def text(self, node: ast.expr) -> str:
        """An expression in the outermost caller's words: "optimizer", "self.opt"."""
        root = node
        while isinstance(root, ast.Attribute | ast.Subscript):
            root = root.value
        own = text_of(node)
        if not isinstance(root, ast.Name) or root.id not in self.given or self.caller is None:
            return own
        return self.caller.text(self.given[root.id]) + own[len(root.id) :]

    def attribute_values(self, node: ast.expr) -> list[ast.expr]:
        """What `self.NAME` is assigned anywhere in the class or its bases in sight."""
        name = self_attribute(node)
        owner = None if self.function is None else self.function.owner
        if name is None or owner is None:
            return []
        # With its dot: a base may say the word, and assign no such attribute.
        links = [owner, *bases_saying(self.project, owner, f".{name}")]
        return [value for link in links for value in link.attributes.get(name, [])]

    def called(self, call: ast.Call) -> Function | None:
        """The function that a call runs, where it stands in this project."""
        func = call.func
        if isinstance(func, ast.Name):
            return self._named(func)
        name = self_attribute(func)
        owner = None if self.function is None else self.function.owner
        if name is None or owner is None:
            return None
        own = [owner] if name in owner.methods else bases_defining(self.project, owner, name)
        for link in own:
            return functions_of(self.project, link.module).get(link.methods[name])
        return None

    def _named(self, func: ast.Name) -> Function | None:
        """The function of a plain name: nested around here, of the module, or imported."""
        known = functions_of(self.project, self.module)
        around = self.function
        while around is not None:
            for function in known.values():
                if function.outer == around and function.name == func.id and not function.method:
                    return function
            around = around.outer
        if func.id in self.module.functions:
            return known.get(self.module.functions[func.id])
        origin, _, name = self.module.names.aliases.get(func.id, "").rpartition(".")
        other = self.project.module(origin, self.module, name) if origin else None
        if other is None or name not in other.functions:
            return None
        return functions_of(self.project, other).get(other.functions[name])

    def enter(self, callee: Function, call: ast.Call) -> Frame:
        """The frame of a call that this one makes."""
        given = dict(zip(callee.parameter_names, call.args, strict=False))
        if any(isinstance(one, ast.Starred) for one in call.args):
            given = {}
        given.update({one.arg: one.value for one in call.keywords if one.arg})
        return Frame(self.project, callee.module, callee, given, self)


@kept(64)
def _of_module(module: SourceModule) -> Bindings:
    return bindings_in(module.tree)
