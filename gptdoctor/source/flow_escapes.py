"""Which values leave a stretch of code, and what their gradient would reach."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_attributes import attributes_of
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function, loads_of
from gptdoctor.source.flow_gradients import Gradients
from gptdoctor.source.flow_sources import NOTHING, Sources
from gptdoctor.source.flow_switches import block_switch
from gptdoctor.source.flow_targets import Position, Role, end, start
from gptdoctor.source.flow_uses import Uses
from gptdoctor.source.nodes import every_node
from gptdoctor.source.statements import own_statements

FRESH = Role.WHOLE, Role.ITEM, Role.REST, Role.ELEMENT, Role.CHANGED


@dataclass(frozen=True, kw_only=True)
class Escape:
    """A value that was made in a stretch of code and is used outside of it."""

    name: str  # "entropy", "self.entropy", or "" for what is returned from inside
    sources: Sources
    read: tuple[ast.Name, ...] = ()  # where it matters outside


class Escapes:
    """The values that leave one stretch of a function."""

    def __init__(
        self, function: Function, first: Position, last: Position, gradients: Gradients
    ) -> None:
        self.function, self.gradients = function, gradients
        self.first, self.last = first, last
        # What is read under another such block is that block's affair.
        self._others = [
            (start(node), end(node))
            for node in own_statements(function.node)
            if isinstance(node, ast.With | ast.AsyncWith) and block_switch(node, function)
        ]

    def found(self) -> list[Escape]:
        """All of them, with what their gradient would reach."""
        return [*self._names(), *self._returns(), *self.attributes()]

    def inside(self, place: Position) -> bool:
        """Whether a place lies in the stretch."""
        return self.first <= place <= self.last

    def bound(self) -> dict[str, list[Binding]]:
        """The names that the stretch binds, with the bindings."""
        known = self.function.bindings.by_name
        here = {
            name: [one for one in found if self.inside(one.since) and one.role in FRESH]
            for name, found in known.items()
        }
        return {name: found for name, found in here.items() if found}

    def _names(self) -> list[Escape]:
        """The names that are read outside; where each goes is asked only if a gradient is in it."""
        uses: Uses | None = None
        found = []
        for name, bindings in self.bound().items():
            loads = self._loads(name)
            if not loads or not any(map(self._sources, bindings)):
                continue
            uses = uses or Uses(self.function, self.gradients)
            read = [load for load in loads if self._brought(load, bindings) and uses.matters(load)]
            reached = {one for load in read for one in self._brought(load, bindings)}
            if reached:
                sources = NOTHING.union(*map(self._sources, reached))
                found.append(Escape(name=name, sources=sources, read=tuple(read)))
        return found

    def _brought(self, load: ast.Name, bindings: list[Binding]) -> list[Binding]:
        """Those of the bindings that a name may have where it is read."""
        reaching = self.function.reaching(load, carried=True)
        return [one for one in reaching if one in bindings]

    def _sources(self, binding: Binding) -> Sources:
        return self.gradients.of_binding(binding, self.function)

    def _loads(self, name: str) -> list[ast.Name]:
        """Where a name is read outside of the stretch."""
        return [
            node
            for node in loads_of(self.function).get(name, ())
            if not self.inside(start(node))
            and not any(first <= start(node) <= last for first, last in self._others)
        ]

    def _returns(self) -> list[Escape]:
        found = [
            self.gradients.of(node.value, self.function)
            for node in own_statements(self.function.node)
            if isinstance(node, ast.Return) and node.value and self.inside(start(node))
        ]
        return [Escape(name="", sources=NOTHING.union(*found))] if found else []

    def attributes(self) -> list[Escape]:
        """`self.x = value`, where x is no buffer, no running average, and read elsewhere."""
        if self.function.owner is None:
            return []
        attributes = attributes_of(self.gradients.project, self.function.owner)
        found = []
        for node in own_statements(self.function.node):
            if not isinstance(node, ast.Assign) or not self.inside(start(node)):
                continue
            for name in filter(None, map(self_attribute, node.targets)):
                sources = self.gradients.of(node.value, self.function)
                kept = name in attributes.buffers or _reads(node.value, name)
                if sources and not kept and self._read_elsewhere(name):
                    found.append(Escape(name=f"self.{name}", sources=sources))
        return found

    def _read_elsewhere(self, name: str) -> bool:
        owner = self.function.owner
        return owner is not None and any(
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Load)
            and self_attribute(node) == name
            for method in owner.methods.values()
            if method is not self.function.node
            for node in every_node(method)
        )


def _reads(value: ast.expr, name: str) -> bool:
    return any(self_attribute(node) == name for node in every_node(value))
