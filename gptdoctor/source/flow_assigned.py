"""What the methods of one class set up of its attributes: values, buffers, what is frozen."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.flow_frozen import FREEZING, SETTING_UP, frozen_by
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_settings import attributes_set, literal_text, settings_in
from gptdoctor.source.kept import kept
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project


@dataclass(frozen=True)
class Assigned:
    """A value that some method assigns to an attribute."""

    value: ast.expr
    function: Function


@dataclass(frozen=True, eq=False)
class OwnSettings:
    """What one class sets up, its bases left out."""

    project: Project
    info: ClassInfo

    @cached_property
    def assigned(self) -> dict[str, list[Assigned]]:
        """All values assigned to each attribute, in the order of the text."""
        found: dict[str, list[Assigned]] = {}
        for function, node in self._nodes:
            for name, value in attributes_set(node):
                found.setdefault(name, []).append(Assigned(value, function))
        return found

    @cached_property
    def buffers(self) -> frozenset[str]:
        """Names given to `register_buffer`."""
        if "register_buffer" not in self.info.text:
            return frozenset()
        calls = (node for _, node in self._nodes if isinstance(node, ast.Call))
        return frozenset(
            name
            for call in calls
            if called_name(call) == "register_buffer"
            for name in literal_text(call)
        )

    @cached_property
    def frozen(self) -> frozenset[str]:
        """Attributes whose parameters are switched off somewhere; "" for the whole module."""
        if not any(map(self.info.text.__contains__, FREEZING)):
            return frozenset()
        return frozenset(
            name
            for function, node in self._nodes
            if SETTING_UP.search(function.name)
            for name in frozen_by(node)
        )

    @cached_property
    def _nodes(self) -> list[tuple[Function, ast.AST]]:
        """The statements that may set an attribute up: assignments, loops and calls."""
        functions = functions_of(self.project, self.info.module)
        return [
            (functions[method], node)
            for method in self.info.methods.values()
            for node in settings_in(method.body)
        ]


@kept(1024)  # a base is one of hundreds of classes
def own_settings(project: Project, info: ClassInfo) -> OwnSettings:
    """The settings of a class, collected once for all that descend from it."""
    return OwnSettings(project, info)
