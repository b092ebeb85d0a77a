"""How many dimensions a tensor has and where each came from, as far as the text tells.

Activations are taken for (batch, time, channels) where nothing speaks against it: that is what
the layers of a language model pass to each other.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_attributes import attributes_of
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_calls import callers
from gptdoctor.source.flow_dimensions import (
    Axes,
    fresh,
    normalized,
    rebuilt,
    reduced,
    reshaped,
    widened,
    without,
)
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_gradients import Gradients
from gptdoctor.source.flow_operations import VALUES_AND_INDICES
from gptdoctor.source.flow_parameters import is_plain
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.flow_turns import Turn, number, turn_of
from gptdoctor.source.imports import is_none
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project

ACTIVATION = 3  # dimensions of what layers pass on: batch, time, channels
# Operations that keep all dimensions where they are.
KEEPING = re.compile(
    r"(softmax|log_softmax|sigmoid|logsigmoid|tanh|relu|gelu|silu|softplus|exp|log|sqrt|rsqrt|pow"
    r"|abs|neg|clamp|clamp_min|clamp_max|clip|float|half|double|bfloat16|to|type|type_as"
    r"|contiguous|detach|clone|cpu|cuda|masked_fill|masked_fill_|mul|mul_|div|div_|add|add_|sub"
    r"|normalize|dropout|nan_to_num|requires_grad_|topk|sort|cumsum|layer_norm|rms_norm|round"
    r"|where|threshold|sparsemax|gumbel_softmax|entmax15)$"
)
NORMALIZING = re.compile(r"(softmax|log_softmax|normalize|gumbel_softmax)$")
REDUCING = re.compile(r"(mean|sum|amax|amin|prod|norm|std|var|logsumexp|argmax|argmin|max|min)$")
DEEPEST = 12  # expressions followed from one to the next


class AxesReader:
    """Answers for the expressions of one project; what was found is kept."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._gradients = Gradients(project)  # knows which function of the project a call runs
        self._found: dict[ast.expr, Axes | None] = {}
        self._active: set[object] = set()

    def of(self, value: ast.expr, function: Function) -> Axes | None:
        """The dimensions of an expression, or None where they are not known."""
        if value in self._found:
            return self._found[value]
        if value in self._active or len(self._active) > DEEPEST * 4:
            return None
        self._active.add(value)
        self._found[value] = self._expression(value, function)
        self._active.discard(value)
        return self._found[value]

    def _expression(self, value: ast.expr, function: Function) -> Axes | None:
        turn = turn_of(value, function)
        if turn is not None:
            return self._turned(turn, function)
        if isinstance(value, ast.Name):
            found = (self._bound(one, function) for one in function.reaching(value))
            return next((one for one in found if one is not None), None)
        if isinstance(value, ast.Subscript):
            return self._indexed(value, function)
        if isinstance(value, ast.Call):
            return self._called(value, function)
        if isinstance(value, ast.BinOp):
            return self._joined(value, function)
        if isinstance(value, ast.UnaryOp):
            return self.of(value.operand, function)
        if isinstance(value, ast.IfExp):
            return self.of(value.body, function) or self.of(value.orelse, function)
        if isinstance(value, ast.Attribute) and value.attr in ("values", "data", "real"):
            return self.of(value.value, function)
        return None

    def _turned(self, turn: Turn, function: Function) -> Axes | None:
        base = self.of(turn.base, function)
        if base is None:
            return None
        if not base.sure and turn.least_rank > base.rank:
            base = fresh(turn.least_rank, sure=True) or base
        sure = base.sure or turn.least_rank == base.rank > 2
        order = turn.apply(base.order)
        if order is None:
            return None
        return replace(base, order=order, turns=(*base.turns, turn), sure=sure)

    def _bound(self, binding: Binding, function: Function) -> Axes | None:
        value = binding.value
        if binding.role is Role.ARGUMENT and binding.name not in ("self", "cls"):
            return self.parameter(function, binding.name)
        if value is None:
            return None
        if binding.role is Role.WHOLE:
            return self.of(value, function)
        if binding.role is Role.ELEMENT:
            return without(self.of(value, function), 0)
        if binding.role is Role.ITEM and isinstance(value, ast.Call):
            return self._item(value, binding.index or 0, function)
        return None

    def _item(self, call: ast.Call, item: int, function: Function) -> Axes | None:
        """One of several results of a call."""
        name = called_name(call)
        if VALUES_AND_INDICES.match(name) or name in ("chunk", "split", "tensor_split"):
            return self.of(_operand(call, function), function)
        callee = self._gradients.callee(call, function)
        for value in callee.returned if callee else []:
            if callee and isinstance(value, ast.Tuple) and item < len(value.elts):
                return self.of(value.elts[item], callee)
        return None

    def parameter(self, function: Function, name: str) -> Axes | None:
        """The dimensions of an argument: as unpacked here, as given by callers, or as usual."""
        rank = _unpacked_rank(function, name)
        if rank is not None:
            return fresh(rank, sure=True)
        key = (function, name)
        if key in self._active or is_plain(function, name):
            return None
        self._active.add(key)
        given = [
            self.of(argument, site.function)
            for site in callers(self.project, function)
            for argument in [site.argument(function, name)]
            if argument is not None
        ]
        self._active.discard(key)
        known = [one for one in given if one is not None]
        if known:
            # Callers that flatten decide: a function that is right for them must not be blamed.
            return min(known, key=lambda one: (not one.sure, one.rank))
        network = function.owner is not None and self.project.is_network(function.owner)
        return fresh(ACTIVATION, sure=False) if network else None

    def _indexed(self, value: ast.Subscript, function: Function) -> Axes | None:
        base = self.of(value.value, function)
        places = value.slice.elts if isinstance(value.slice, ast.Tuple) else [value.slice]
        if number(value.slice) == 0 and VALUES_AND_INDICES.match(called_name(value.value)):
            return base
        axis, axes = 0, base
        for index, place in enumerate(places):
            if axes is None:
                return None
            if isinstance(place, ast.Constant) and place.value is Ellipsis:
                rest = [one for one in places[index + 1 :] if not is_none(one)]
                axis = axes.rank - len(rest)
            elif is_none(place):
                axes = widened(axes, axis)
                axis += 1
            elif isinstance(place, ast.Slice):
                axis += 1
            elif number(place) is not None or _is_counter(place, function):
                axes = without(axes, axis)
            else:
                return None
        return axes

    def _joined(self, value: ast.BinOp, function: Function) -> Axes | None:
        left = self.of(value.left, function)
        if isinstance(value.op, ast.MatMult):
            return fresh(left.rank, sure=left.sure) if left else None
        right = self.of(value.right, function)
        known = [one for one in (left, right) if one is not None]
        return max(known, key=lambda one: one.rank, default=None)

    def _called(self, call: ast.Call, function: Function) -> Axes | None:
        callee = self._gradients.callee(call, function)
        if callee is not None:
            found = (self.of(value, callee) for value in callee.returned)
            known = next((one for one in found if one is not None), None)
            if known is not None or not self_attribute(call.func):
                return known
        name = called_name(call)
        if self_attribute(call.func) or isinstance(call.func, ast.Subscript):
            return self._layer(call, function)
        operand = _operand(call, function)
        base = self.of(operand, function)
        given = [one for one in call.args if one is not operand]
        if base is None:
            return reshaped(name, given)
        if KEEPING.match(name):
            return normalized(base, call, given) if NORMALIZING.match(name) else base
        if REDUCING.match(name):
            return reduced(base, call, given)
        return rebuilt(base, name, given)

    def _layer(self, call: ast.Call, function: Function) -> Axes | None:
        """What a layer makes: as many dimensions as it gets, an embedding one more."""
        own = self_attribute(call.func)
        if own and function.owner:
            made = attributes_of(self.project, function.owner).assigned.get(own, [])
            names = (one.function.module.names.called(one.value) for one in made)
            if any((name or "").endswith(".Embedding") for name in names):
                return fresh(ACTIVATION, sure=False)
        base = self.of(call.args[0], function) if call.args else None
        return fresh(base.rank, sure=base.sure) if base else None


def _operand(call: ast.Call, function: Function) -> ast.expr:
    """The tensor that an operation works on: its receiver, or its first argument."""
    qualified = function.module.names.called(call) or ""
    if isinstance(call.func, ast.Attribute) and not qualified.startswith("torch."):
        return call.func.value
    return call.args[0] if call.args else call.func


def _unpacked_rank(function: Function, name: str) -> int | None:
    """3 where `B, T, C = x.shape` or `x.size(2)` or `x[:, :, k]` stands in the function."""
    least = 0
    for node in own_nodes(function.node):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            stars = any(isinstance(one, ast.Starred) for one in node.targets[0].elts)
            if _shape_of(node.value) == name and not stars:
                return len(node.targets[0].elts)
        elif isinstance(node, ast.Subscript):
            if _shape_of(node.value) == name:
                least = max(least, (number(node.slice) or 0) + 1)
            elif isinstance(node.value, ast.Name) and node.value.id == name:
                places = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
                least = max(least, sum(isinstance(one, ast.Slice) for one in places))
        elif isinstance(node, ast.Call) and node.args and _shape_of(node) == name:
            least = max(least, (number(node.args[0]) or 0) + 1)
    return least if least >= ACTIVATION else None


def _shape_of(node: ast.expr) -> str | None:
    """The name whose `.shape` or `.size(...)` a node is."""
    method = node.func if isinstance(node, ast.Call) else node
    asks = isinstance(method, ast.Attribute) and method.attr in ("shape", "size")
    if asks and isinstance(method, ast.Attribute) and isinstance(method.value, ast.Name):
        return method.value.id
    return None


def _is_counter(node: ast.expr, function: Function) -> bool:
    if not isinstance(node, ast.Name):
        return False
    return any(one.role is Role.COUNTER for one in function.reaching(node))
