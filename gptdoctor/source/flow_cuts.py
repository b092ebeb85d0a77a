"""Layers of a network whose result leaves the graph wherever it is used.

A value that is detached, or becomes a number, a list or an array, takes no gradient back.  Where
all that the class does with a layer of its own ends in such a value, the layer cannot learn.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.constructors import Use, own_text
from gptdoctor.source.cut_values import Onward, several_cuts
from gptdoctor.source.flow_attributes import Learns, attributes_of
from gptdoctor.source.flow_functions import Function, assigned_names, functions_of, loads_of
from gptdoctor.source.flow_gradients import Gradients
from gptdoctor.source.flow_operations import METADATA, WITHOUT_GRADIENT
from gptdoctor.source.flow_sources import learned
from gptdoctor.source.flow_targets import Role, start
from gptdoctor.source.kept import kept
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node

# What sets weights up before training, and what only counts or copies them.
SETTING_UP = re.compile(r"init|reset|build|load|freez|count|tie_")
# The map of an attention, which is handed out beside its result for whoever looks at it.
MAP = re.compile(r"attn|attention")
# What is asked of a name, by the text behind it: nothing to be seen where the line goes on.
ASKED = re.compile(r"[\s)]*(?:\.\s*(\w+)|[#\\.]|$)")
# What is given its dtype, its device or its form only: `y.to(x)`, `zeros_like(x)`.
LIKENED = re.compile(r"(?:to|\w+_as|\w+_like)\b")
DEEPEST = 8  # from name to name: a norm, heads, a rotation and a cache lie before an attention
_MADE = frozenset({Role.WHOLE, Role.ITEM, Role.ELEMENT})
MOST_CUTS = 6  # in one function: with more of them it works on numbers, and not on a model


@dataclass(frozen=True, eq=False, kw_only=True)
class _Ending:
    """What of a method ends in some values that leave the graph."""

    inside: list[ast.expr]  # the values, and those of names that are read in them alone
    helpers: list[Function]  # that are called there alone
    names: list[str]  # the attributes of `self` that are used there alone


class Cuts:
    """What of one method's owner is lost where values leave the graph."""

    def __init__(self, function: Function, gradients: Gradients) -> None:
        self.function, self.gradients = function, gradients
        self._endings: dict[frozenset[ast.expr], _Ending] = {}

    def lost(self, value: ast.expr) -> list[str]:
        """The layers and parameters of `self` all of whose results end in this cut value.

        Where they end in several, as the two states of an LSTM do, they are the first one's.
        """
        if self.function.owner is None or not self._may_hold_layers(value):
            return []
        others = self._other_cuts(value)
        # What ends in one cut ends in all of them: this is asked once for a function, and where
        # nothing does, as in most, no gradient has to be followed.
        if not self._ending([value, *others]).names:
            return []
        alone = self._lost_in([value])
        if alone or not others:
            return alone
        first = self._reached(value)
        for other in others:
            if start(other) < start(value):
                first = first - self._reached(other)
        return [name for name in self._lost_in([value, *others]) if name in first] if first else []

    def _reached(self, value: ast.expr) -> frozenset[str]:
        """The attributes that a value's gradient would reach."""
        found = learned(self.gradients.of(value, self.function))
        return frozenset(name.removeprefix("self.") for name in found)

    def _lost_in(self, values: list[ast.expr]) -> list[str]:
        """What is lost where all of these leave the graph; `learned` by the first of them."""
        ending, owner = self._ending(values), self.function.owner
        if owner is None or not ending.names:
            return []
        attributes = attributes_of(self.gradients.project, owner)
        helpers = ending.helpers
        made = {name for helper in helpers for name in learned(self.gradients.returned(helper))}
        alone = [
            name
            for name in ending.names
            if (self._works(name, ending.inside) or f"self.{name}" in made)
            and attributes.learns(name) is Learns.YES
        ]
        return alone if alone and learned(self.gradients.of(values[0], self.function)) else []

    def _ending(self, values: list[ast.expr]) -> _Ending:
        """What of the method ends in some values, in the order of its names."""
        asked = frozenset(values)
        if asked not in self._endings:
            self._endings[asked] = self._find_ending(values)
        return self._endings[asked]

    def _find_ending(self, values: list[ast.expr]) -> _Ending:
        inside = self._cone(values)
        nodes = [node for part in inside for node in every_node(part)]
        helpers = self._helpers(nodes)
        nodes += [node for helper in helpers for node in every_node(helper.node)]
        named = {name for node in nodes if (name := self_attribute(node))}
        owner = self.function.owner
        if owner is None or not named:
            return _Ending(inside=inside, helpers=helpers, names=[])
        text = own_text(owner)
        held = {id(node) for node in nodes}
        names = [
            name
            for name in sorted(named)
            if not self._named_elsewhere(name)
            and all(id(use.node) in held or self._idle(use) for use in text.uses(name))
        ]
        return _Ending(inside=inside, helpers=helpers, names=names)

    def _helpers(self, nodes: list[ast.AST]) -> list[Function]:
        """The methods that are called here and nowhere else: what they make is made for this."""
        owner = self.function.owner
        names = {name for node in nodes if (name := self_attribute(node))}
        if owner is None or names.isdisjoint(owner.methods):
            return []
        held = {id(node) for node in nodes}
        text, functions = own_text(owner), functions_of(self.gradients.project, owner.module)
        return [
            functions[owner.methods[name]]
            for name in sorted(names & owner.methods.keys())
            if all(id(use.node) in held for use in text.uses(name))
            and not self._named_elsewhere(name)
        ]

    def _other_cuts(self, value: ast.expr) -> list[ast.expr]:
        """What else leaves the graph in this function, in the order of the text."""
        others = [one for one in several_cuts(self.function) if one is not value]
        return others if len(others) < MOST_CUTS else []

    def _may_hold_layers(self, value: ast.expr) -> bool:
        """Whether the value names an attribute, or what may have been made of one.

        Most cut values are made of what the caller gave, whose bindings need not be looked up.
        """
        made = assigned_names(self.function)
        given = self.function.parameter_names
        brought = self.function.module.names.aliases
        # What is neither given nor assigned nor imported is a loop's or a comprehension's.
        return any(
            node.id in made or (node.id not in given and node.id not in brought)
            if isinstance(node, ast.Name)
            else self_attribute(node) is not None
            for node in every_node(value)
        )

    def matters(self, node: ast.expr) -> bool:
        """Whether the model goes on with what left the graph at `node`."""
        return Onward(self.function, self.gradients).matters(node)

    def _cone(self, values: list[ast.expr]) -> list[ast.expr]:
        """The values, and those of names that are read in them and nowhere else."""
        parts = list(values)
        held = {id(node) for value in values for node in every_node(value)}
        for _ in range(DEEPEST):
            # A name may be read in a part that is found later: all are asked again.
            found = {
                id(made): made
                for part in parts
                for node in every_node(part)
                if isinstance(node, ast.Name)
                for made in self._made(node, held)
            }
            if not found:
                break
            parts.extend(found.values())
            held.update(id(node) for part in found.values() for node in every_node(part))
        return parts

    def _made(self, name: ast.Name, held: set[int]) -> Iterator[ast.expr]:
        """What a name was bound to, where all its readers lie in what is held."""
        for binding in self.function.bindings.reaching(name.id, start(name), carried=True):
            known = binding.role in _MADE and binding.value is not None
            if not known or binding.value is None or id(binding.value) in held:
                continue
            own = {id(node) for node in every_node(binding.value)}  # h = cell(x, h)
            if all(
                id(reader) in held or id(reader) in own or self._looks_on(reader)
                for reader in _readers(binding.value, self.function)
            ):
                yield binding.value

    def _looks_on(self, reader: ast.Name) -> bool:
        """Whether a place asks for a shape, changes in place, or hands out an attention's map."""
        if not self._may_look_on(reader):
            return False
        owner = self.function.owner
        around = own_text(owner).parent(reader) if owner else None
        if isinstance(around, ast.Attribute):
            call = own_text(owner).parent(around) if owner else None
            alone = isinstance(own_text(owner).parent(call), ast.Expr) if owner and call else False
            in_place = around.attr.endswith("_") and isinstance(call, ast.Call) and alone
            return in_place or METADATA.match(around.attr) is not None or around.attr == "size"
        if isinstance(around, ast.Call):
            return reader in around.args and LIKENED.fullmatch(called_name(around)) is not None
        beside = isinstance(around, ast.Tuple) and around.elts[0] is not reader
        returned = isinstance(own_text(owner).parent(around), ast.Return) if owner and around else 0
        return bool(beside and returned and MAP.search(reader.id))

    def _may_look_on(self, reader: ast.Name) -> bool:
        """The same, by the line on which the name stands: most are read for their values."""
        line = self.function.module.lines[reader.lineno - 1]
        first, last = reader.col_offset, reader.end_col_offset or 0
        # Columns are bytes, and those of an expression in a text may be wrong.
        if line[first:last] != reader.id or not line.isascii() or MAP.search(reader.id):
            return True
        if LIKENED.search(line, 0, first):
            return True
        asked = ASKED.match(line, last)
        word = asked.group(1) if asked else ""
        return word is None or word.endswith("_") or word == "size" or bool(METADATA.match(word))

    def _works(self, name: str, inside: list[ast.expr]) -> bool:
        """Whether the layer is called, or its weight used, where the value is made."""
        return any(
            self_attribute(node) == name and self._carries(node, part)
            for part in inside
            for node in every_node(part)
        )

    def _carries(self, node: ast.AST, part: ast.expr) -> bool:
        """Whether values come from a node to the expression around it: no shape, no index."""
        owner = self.function.owner
        text = own_text(owner) if owner else None
        while text is not None and node is not part:
            around = text.parent(node)
            if around is None:
                return False
            if isinstance(around, ast.Compare):
                return False
            if isinstance(around, ast.Subscript) and node is around.slice:
                return False
            if isinstance(around, ast.Attribute):
                called = isinstance(text.parent(around), ast.Call)
                pattern = WITHOUT_GRADIENT if called else METADATA
                # `.data` and `.detach` are the cut itself, one step further out.
                if pattern.match(around.attr) and around.attr not in ("data", "detach"):
                    return False
            given = around if isinstance(around, ast.Call) and node is not around.func else None
            if given is not None and WITHOUT_GRADIENT.match(called_name(given)):
                return False
            node = around
        return True

    def _idle(self, use: Use) -> bool:
        """Whether a use trains nothing: where weights are set up, or a shape or type is asked."""
        if use.written or use.method.name == "__init__":
            return use.written
        if SETTING_UP.search(use.method.name):
            return True
        owner = self.function.owner
        text = own_text(owner) if owner else None
        around: ast.AST | None = use.node
        while text is not None and isinstance(around, ast.Attribute):
            if METADATA.match(around.attr) and around.attr not in ("data", "grad"):
                return True
            around = text.parent(around)
        return False

    def _named_elsewhere(self, name: str) -> bool:
        """Whether the file names such an attribute of anything but `self`."""
        text = self.function.module.text
        # A layer is often called `norm`, and so is a method of tensors: x.norm(p=2), x.norm().
        method = r"(?!\((p|dim|ord|keepdim|\d|-|\)))" if name == "norm" else ""
        return any(
            not text.endswith("self", 0, found.start())
            for found in re.finditer(rf"\.{name}\b{method}", text)
        )


@kept(8)
def cuts_in(function: Function, gradients: Gradients) -> Cuts:
    """One analysis for all that leaves the graph in a function."""
    return Cuts(function, gradients)


def _readers(value: ast.expr, function: Function) -> Iterator[ast.Name]:
    """Where what a value gives to names is read."""
    bindings = function.bindings
    for name in bindings.names_given.get(value, ()):
        for node in loads_of(function).get(name, ()):
            reaching = bindings.reaching(name, start(node), carried=True)
            if any(one.value is value for one in reaching):
                yield node
