"""Attention as the text writes it: scores of queries and keys, a softmax, a sum of values.

Followed inside one function, backwards: from a product whose left side came from a softmax to that
softmax, and from there to the product whose result are the scores.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from gptdoctor.source.attention_names import is_softmax
from gptdoctor.source.changed_values import changes_in
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_operations import BOUNDING, PASSING, RESHAPING, SOFTMAXES
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.kept import kept
from gptdoctor.source.mask_tables import TRIANGLES, operand
from gptdoctor.source.matrix_products import PRODUCING, is_product, left_side, says_product
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import kept_in, number_throughout

DEEPEST_SUM = 12  # terms of a sum or product that are looked into
DEEPEST = 40  # steps from a softmax back to a product


class Did(Enum):
    """What a step does to scores or weights."""

    PRODUCT = "product"
    SOFTMAX = "softmax"
    FILLED = "filled"  # masked_fill, or where with something that hides
    WRITTEN = "written"  # scores[mask] = value
    ADDED = "added"
    MULTIPLIED = "multiplied"
    DIVIDED = "divided"
    RESHAPED = "reshaped"
    BOUNDED = "bounded"
    CUT = "cut"  # tril or triu of scores: what is hidden becomes 0
    OPAQUE = "opaque"  # a call that is not followed, or a name from outside


@dataclass(frozen=True, eq=False)
class Step:
    """One step on the way back."""

    did: Did
    node: ast.AST
    other: ast.expr | None = None  # what is added, multiplied, divided by, written


@dataclass(frozen=True, eq=False)
class Attention:
    """One softmax over scores whose result weighs values."""

    function: Function
    softmax: ast.Call
    scores: tuple[Step, ...]  # from the softmax back to the products, those included
    weights: tuple[Step, ...]  # from the product with the values back to the softmax
    product: ast.expr  # of weights and values

    @property
    def products(self) -> tuple[ast.expr, ...]:
        """The products that the scores come from."""
        found = (step.node for step in self.scores if step.did is Did.PRODUCT)
        return tuple(node for node in found if isinstance(node, ast.expr))

    @property
    def sure(self) -> bool:
        """Whether nothing on the way from the scores to the softmax is out of sight."""
        return all(step.did is not Did.OPAQUE for step in self.scores)


@kept(64)
def trail_of(project: Project, function: Function) -> Trail:
    """What follows the values of a function backwards."""
    return Trail(project, function)


@kept(16)  # a function's attentions go over its softmaxes once more
def scores_behind(project: Project, function: Function, softmax: ast.Call) -> tuple[Step, ...]:
    """The steps from a softmax back to the products that its scores come from."""
    given = softmax_operand(softmax, function)
    return () if given is None else tuple(trail_of(project, function).back(given))


@kept(64)
def attentions_of(project: Project, function: Function) -> tuple[Attention, ...]:
    """All attentions of a function."""
    trail = trail_of(project, function)
    found: dict[ast.Call, Attention] = {}
    for product in trail.products:
        left = left_side(product)
        if left is None:
            continue
        weights = tuple(trail.back(left, until_softmax=True))
        for step in weights:
            if step.did is Did.SOFTMAX and isinstance(step.node, ast.Call):
                scores = scores_behind(project, function, step.node)
                if any(one.did is Did.PRODUCT for one in scores):
                    found.setdefault(
                        step.node, Attention(function, step.node, scores, weights, product)
                    )
    return tuple(found.values())


@dataclass(eq=False)
class Trail:
    """Follows values of one function backwards."""

    project: Project
    function: Function
    _leading: dict[ast.expr, bool] = field(default_factory=dict)
    _asked: int = 0  # questions inside questions: sums of many terms are not scores

    @cached_property
    def products(self) -> list[ast.expr]:
        """The products of matrices in the function; one without a word of them has none."""
        if not says_product(self.function.text):
            return []
        nodes = own_nodes(self.function.node)
        return [node for node in nodes if isinstance(node, PRODUCING) and is_product(node)]

    def back(self, value: ast.expr, *, until_softmax: bool = False) -> Iterator[Step]:
        """All steps that a value may have taken, nearest first; each expression once."""
        stack: list[ast.expr] = [value]
        seen: set[ast.AST | Binding] = set()
        while stack and len(seen) < DEEPEST * 4:
            one = stack.pop()
            if one in seen:
                continue
            seen.add(one)
            if isinstance(one, ast.Name):
                yield from self._bound(one, stack, seen)
                continue
            step, before = self.step(one)
            if step is not None:
                yield step
                ends = Did.PRODUCT, *([Did.SOFTMAX] if until_softmax else [])
                if step.did in ends:
                    continue
            stack.extend(reversed(before))

    def _bound(
        self, name: ast.Name, stack: list[ast.expr], seen: set[ast.AST | Binding]
    ) -> Iterator[Step]:
        """The values of a name, and what was written into it."""
        bindings = self.function.bindings.reaching(name.id, (name.lineno, name.col_offset))
        if not bindings:
            yield Step(Did.OPAQUE, name)
        for binding in bindings:
            if binding in seen:
                continue
            seen.add(binding)
            if binding.role is Role.CHANGED:
                step = self._changed(binding, name)
                if step.node not in seen:  # what a call is given changes its tensor once
                    seen.add(step.node)
                    yield step
            elif binding.role is Role.WHOLE and binding.value is not None:
                stack.append(binding.value)
            else:
                yield Step(Did.OPAQUE, name)

    def _changed(self, binding: Binding, name: ast.Name) -> Step:
        changes = changes_in(self.function)
        statement = None if binding.value is None else changes.get(binding.value)
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            call = statement.value  # scores.masked_fill_(mask, value), for both of what it is given
            did = _SCALED_IN_PLACE.get(called_name(call), Did.FILLED)
            return Step(did, call, None if did is Did.FILLED else call.args[0])
        if isinstance(statement, ast.AugAssign):
            did = OPERATORS.get(type(statement.op), Did.OPAQUE)
            return Step(did, statement, statement.value)
        if isinstance(statement, ast.Assign):
            return Step(Did.WRITTEN, statement, statement.value)
        return Step(Did.OPAQUE, binding.value or name)

    def step(self, value: ast.expr) -> tuple[Step | None, list[ast.expr]]:
        """What an expression does, and the expressions that it does it to."""
        if is_product(value):
            return Step(Did.PRODUCT, value), []
        if isinstance(value, ast.BinOp):
            return self._operator(value)
        if isinstance(value, ast.IfExp):
            return None, [value.body, value.orelse]
        if isinstance(value, ast.NamedExpr | ast.Starred):
            return None, [value.value]
        if isinstance(value, ast.UnaryOp):
            return None, [value.operand]
        if isinstance(value, ast.Subscript):
            return Step(Did.RESHAPED, value), [value.value]
        if isinstance(value, ast.Attribute) and value.attr in ("T", "mT", "data"):
            return Step(Did.RESHAPED, value), [value.value]
        if isinstance(value, ast.Call):
            return self._call(value)
        return Step(Did.OPAQUE, value), []

    def _operator(self, value: ast.BinOp) -> tuple[Step | None, list[ast.expr]]:
        did = OPERATORS.get(type(value.op), Did.OPAQUE)
        if did is Did.OPAQUE:
            return Step(did, value), []
        leads = self.leads(value.left)
        # The scores may stand on either side of a sum or a factor.
        if not leads and did is not Did.DIVIDED and self.leads(value.right):
            return Step(did, value, value.left), [value.right]
        return Step(did, value, value.right), [value.left]

    def leads(self, value: ast.expr) -> bool:
        """Whether a value goes back to a product or a softmax."""
        if value not in self._leading:
            if self._asked > DEEPEST_SUM:
                return False
            self._asked += 1
            ends = (Did.PRODUCT, Did.SOFTMAX)
            self._leading[value] = any(step.did in ends for step in self.back(value))
            self._asked -= 1
        return self._leading[value]

    def _call(self, call: ast.Call) -> tuple[Step | None, list[ast.expr]]:
        name = called_name(call)
        if self_attribute(call.func):
            return self._own(call)
        if isinstance(call.func, ast.Call) and call.args:  # nn.Softmax(dim=-1)(scores)
            layer = self.function.module.names.called(call.func) or ""
            if layer in ("torch.nn.Softmax", "torch.nn.LogSoftmax"):
                return Step(Did.SOFTMAX, call), call.args[:1]
        base = operand(call, self.function)
        if base is None:
            return Step(Did.OPAQUE, call), []
        if name in SOFTMAXES or is_softmax(call, self.function.module.names):
            return Step(Did.SOFTMAX, call), [base]
        if name in ("masked_fill", "masked_fill_"):
            return Step(Did.FILLED, call), [base]
        if name == "where" and len(call.args) == 3 and base is call.args[0]:
            values = call.args[1:]
            chosen = [one for one in values if number_throughout(one, self.function) is None]
            return Step(Did.FILLED, call), chosen
        if name in ("mul", "mul_", "div", "div_", "add", "add_"):
            did = {"m": Did.MULTIPLIED, "d": Did.DIVIDED, "a": Did.ADDED}[name[0]]
            given = [one for one in call.args if one is not base]
            return Step(did, call, given[0] if given else None), [base]
        if name in PASSING:
            return None, [base]
        if name in RESHAPING:
            return Step(Did.RESHAPED, call), [base]
        if name in TRIANGLES:
            return Step(Did.CUT, call), [base]
        return Step(Did.BOUNDED if name in BOUNDING else Did.OPAQUE, call), [base]

    def _own(self, call: ast.Call) -> tuple[Step | None, list[ast.expr]]:
        """A layer of the class: a dropout and a softmax are looked through."""
        first = call.args[:1]
        if first and self._is_dropout(call.func):
            return None, list(first)
        layer = layer_of(self.project, self.function, call.func)
        if layer is not None and first:
            if layer.startswith("torch.nn.Dropout") or layer == "torch.nn.Identity":
                return None, list(first)
            if layer in ("torch.nn.Softmax", "torch.nn.LogSoftmax"):
                return Step(Did.SOFTMAX, call), list(first)
        named = self_attribute(call.func) or ""
        if first and "drop" in named:
            return None, list(first)
        return Step(Did.OPAQUE, call), []

    def _is_dropout(self, layer: ast.expr) -> bool:
        """Whether a layer is plainly one, whatever the bases of the class make of it."""
        name, owner = self_attribute(layer) or "", self.function.owner
        values = owner.attributes.get(name, []) if owner is not None and "drop" in name else []
        names = self.function.module.names
        return bool(values) and all(names.called(one) == "torch.nn.Dropout" for one in values)


_SCALED_IN_PLACE = {"add_": Did.ADDED, "mul_": Did.MULTIPLIED, "div_": Did.DIVIDED}
OPERATORS = {
    ast.Add: Did.ADDED,
    ast.Sub: Did.ADDED,
    ast.Mult: Did.MULTIPLIED,
    ast.Div: Did.DIVIDED,
}


def layer_of(project: Project, function: Function, value: ast.expr) -> str | None:
    """The qualified name of the layer that `self.NAME` is made as, where it is made once."""
    name = self_attribute(value)
    kept = kept_in(project, function, name) if name else None
    return kept[1].module.names.called(kept[0]) if kept is not None else None


def softmax_operand(call: ast.Call, function: Function) -> ast.expr | None:
    """What a softmax, as a function, a method or a layer, is taken of."""
    layer = self_attribute(call.func) or isinstance(call.func, ast.Call)
    return call.args[0] if layer and call.args else operand(call, function)
