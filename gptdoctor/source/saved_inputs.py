"""Writes into tensors of which layers have kept a copy by name alone, for backward.

The gradient of a layer's weight is computed from the layer's input: torch keeps that very tensor,
and notices at the backward pass when somebody has written into it since.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cached_property

from gptdoctor.source.classes import FunctionNode, self_attribute
from gptdoctor.source.flow_attributes import Learns, attributes_of
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_blocks import Block, excludes
from gptdoctor.source.flow_functions import Function, loads_of
from gptdoctor.source.flow_gradients import Gradients
from gptdoctor.source.flow_sources import learned
from gptdoctor.source.flow_switches import block_switch
from gptdoctor.source.flow_targets import Position, Role, end, start
from gptdoctor.source.flow_uses import Uses
from gptdoctor.source.literals import written_text
from gptdoctor.source.nodes import every_node
from gptdoctor.source.saved_results import written_name
from gptdoctor.source.statements import every_statement, own_statements

# Layers of torch.nn whose weights get their gradient from the input as it was.
KEEPING = re.compile(r"^(Linear|Bilinear|Conv\d+d|ConvTranspose\d+d|LayerNorm|RMSNorm|GroupNorm)$")
# `self.layer(x)` and `self.layer(x[rows])`; `x[rows] * y`.
_TO_LAYERS = re.compile(r"self\.(\w+)\((\w+)[)\[]")
_ITEM_FACTOR = re.compile(r"\][\s\\]*[*@](?![*=])")
_WRITING = frozenset({ast.AugAssign, ast.Expr})
_INDEX = (ast.Constant, ast.Slice, ast.Tuple, ast.BinOp, ast.UnaryOp, ast.Name, ast.Load)
_INDEX_OPERATORS = (ast.operator, ast.unaryop)


def writes(method: FunctionNode) -> bool:
    """Whether a statement of a method may write into a local name; most methods have none."""
    for statement in every_statement(method):
        if isinstance(statement, ast.Assign):
            if statement.targets[0].__class__ is not ast.Subscript:
                continue  # as nine of ten
        elif statement.__class__ not in _WRITING:
            continue
        if may_write(statement) is not None:
            return True
    return False


def may_write(statement: ast.AST) -> ast.Name | None:
    """The local name that a statement may write into in place; most statements write nowhere."""
    if isinstance(statement, ast.Assign):
        part = statement.targets[0]
        plain = isinstance(part, ast.Subscript) and written_text(part.slice) is None
        return written_name(statement) if plain else None
    if isinstance(statement, ast.Expr):
        called = statement.value.__class__ is ast.Call
        return written_name(statement.value) if called else None
    return written_name(statement) if isinstance(statement, ast.AugAssign) else None


class SavedInputs:
    """What the layers of one method keep of the tensors that it names."""

    def __init__(self, function: Function, gradients: Gradients) -> None:
        self.function, self.gradients = function, gradients

    @cached_property
    def uses(self) -> Uses:
        """Where the values of the function go; most functions are never asked."""
        return Uses(self.function, self.gradients)

    def written_over(self) -> Iterator[tuple[ast.stmt, ast.Call | ast.BinOp]]:
        """The statements that write into what a layer or product before them needs, with it."""
        for statement in own_statements(self.function.node):
            name = may_write(statement)
            if name is None or not isinstance(statement, ast.stmt):
                continue
            if not self._is_given(name.id, self._before(statement)):
                continue
            kept = self.kept_before(statement, name)
            if kept is not None and not self._switched_off(statement):
                yield statement, kept

    def _before(self, statement: ast.stmt) -> str:
        """The text of what may run before a statement: all that stands above it, but in a loop."""
        text, module = self.function.text, self.function.module
        if "for" in text or "while" in text:
            return text
        return module.segment(self.function.node.lineno, statement.end_lineno or statement.lineno)

    def _is_given(self, name: str, text: str) -> bool:
        """Whether such a layer, or a product, takes a name in a text: asked first."""
        ways = (f"{name} *", f"* {name}", f"{name} @", f"@ {name}")
        if any(map(text.__contains__, ways)):
            return True
        if any(
            taken == name and self._is_keeping(layer) for layer, taken in _TO_LAYERS.findall(text)
        ):
            return True
        return f"{name}[" in text and _ITEM_FACTOR.search(text) is not None

    def _switched_off(self, statement: ast.stmt) -> bool:
        around = (one for one, _ in self.function.statements_around(statement))
        return any(isinstance(one, ast.With) and block_switch(one, self.function) for one in around)

    def kept_before(self, statement: ast.stmt, name: ast.Name) -> ast.Call | ast.BinOp | None:
        """The layer's call, or product, that needs a tensor as it was before a statement writes."""
        whole = self._whole(name)
        if not whole or any(one.role is Role.COUNTER for one in whole):
            return None
        last, loops = end(statement), self._loops_around(start(statement), whole)
        for load in loads_of(self.function).get(name.id, ()):
            place = start(load)
            again = any(block.holds(place) for block in loops)
            if place > last and not again:
                continue
            call = self._keeping(load)
            if call is None or self._whole(load) != whole or self._apart(place, start(statement)):
                continue
            if self._learns(call) and not self._compared(call) and self.uses.matters(call):
                return call
        return None

    def _whole(self, name: ast.Name) -> list[Binding]:
        """The bindings of the tensor itself, and not those that write into it."""
        found = self.function.bindings.reaching(name.id, start(name), carried=True)
        return [one for one in found if one.role is not Role.CHANGED]

    def _loops_around(self, place: Position, whole: list[Binding]) -> list[Block]:
        """The loops around a place that the tensor was made before, and outlives."""
        blocks = self.function.bindings.branches
        return [
            block
            for block in blocks
            if block.loop and block.holds(place) and not any(block.holds(w.since) for w in whole)
        ]

    def _apart(self, one: Position, other: Position) -> bool:
        """Whether two places do not both run in one pass."""
        blocks = self.function.bindings.branches
        after = [block for block in blocks if block.holds(other)]
        only = [block for block in blocks if block.holds(one) and not block.holds(other)]
        return any(block.leaves or any(excludes(block, held) for held in after) for block in only)

    def _keeping(self, load: ast.Name) -> ast.Call | ast.BinOp | None:
        """The call of a layer, or product, that is given a name, or a part of its memory."""
        node: ast.AST = load
        while True:
            around = self.uses.parents.get(node)
            part = isinstance(around, ast.Subscript) and around.value is node
            if not part or not isinstance(around, ast.Subscript) or not self._is_view(around.slice):
                break
            node = around
        if isinstance(around, ast.BinOp):
            return around if self._is_factor(node, around) else None
        given = isinstance(around, ast.Call) and len(around.args) == 1 and around.args[0] is node
        return around if given and isinstance(around, ast.Call) and self._keeps(around) else None

    def _is_factor(self, node: ast.AST, product: ast.BinOp) -> bool:
        """Whether a value is multiplied with another that learns: its gradient needs this one."""
        other = product.right if product.left is node else product.left
        multiplied = isinstance(product.op, ast.Mult | ast.MatMult)
        return multiplied and bool(learned(self.gradients.of(other, self.function)))

    def _compared(self, call: ast.expr) -> bool:
        """Whether nothing but a comparison is made of a result: no gradient comes to it."""
        node: ast.AST | None = call
        while node is not None and not isinstance(node, ast.stmt):
            if isinstance(node, ast.Compare):
                return True
            node = self.uses.parents.get(node)
        return False

    def _is_view(self, index: ast.expr) -> bool:
        """Whether an index is of numbers and slices: one by a tensor makes a copy."""
        for node in every_node(index):
            if isinstance(node, ast.Name):
                counters = [one.role is Role.COUNTER for one in self.function.reaching(node)]
                if not counters or not all(counters):
                    return False
            elif written_text(node) is not None:
                return False  # what has such keys is a dictionary, and no tensor
            elif not isinstance(node, (*_INDEX, *_INDEX_OPERATORS)):
                return False
        return True

    def _keeps(self, call: ast.Call) -> bool:
        """Whether a call is of an attribute that is such a layer."""
        name = self_attribute(call.func)
        return name is not None and self._is_keeping(name)

    def _is_keeping(self, name: str) -> bool:
        """Whether an attribute is such a layer, whatever is made of it."""
        owner = self.function.owner
        made = list(owner.attribute_called(name)) if owner is not None else []
        homes = (one.rpartition(".") for one in made)
        return bool(made) and all(
            home == "torch.nn" and KEEPING.match(last) is not None for home, _, last in homes
        )

    def _learns(self, call: ast.Call | ast.BinOp) -> bool:
        if isinstance(call, ast.BinOp):
            return True  # by the other factor
        name, owner = self_attribute(call.func), self.function.owner
        if name is None or owner is None:
            return False
        learns = attributes_of(self.gradients.project, owner).learns(name) is Learns.YES
        return learns and bool(learned(self.gradients.of(call, self.function)))
