"""Whether a loss goes backward as it was computed, divided or multiplied by nothing on its way."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role, start, text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import calls_below, every_node
from gptdoctor.source.training_events import Event, Kind
from gptdoctor.source.value_ways import keyword

DEEPEST = 12  # from name to name, and from helper to helper
# Calls that give a mean over their batch, as long as nobody says otherwise.
_LOSSES = re.compile(
    r"model|net(work)?(_|$)|loss|criterion|crit$|entropy|forward|gpt|objective", re.I
)
# Who is given one of these may divide by it.
_DIVIDERS = re.compile(r"accum|num_items|scal(e|ing)|divis|denom|num_?(micro|batch)", re.IGNORECASE)
_NAMED = re.compile(r"^(model|net|network|criterion|loss_fn|loss_func|loss_function|ddp_model)$")
_KEEPING = frozenset({"to", "float", "double", "squeeze", "contiguous", "view", "reshape", "cuda"})
_SUMMED = re.compile(r"reduction\s*=\s*(?!['\"]mean)|size_average\s*=\s*False|\.sum\(|\bsum\(")


def loss_of_pass(backward: Event) -> ast.expr | None:
    """The loss that a backward pass of torch's own begins with; None for others."""
    call = backward.node
    if backward.kind is not Kind.BACKWARD or backward.wrapped or not isinstance(call, ast.Call):
        return None
    if not isinstance(call.func, ast.Attribute) or call.args or keyword(call, "gradient"):
        return None
    value = call.func.value
    if backward.scaler:
        return value.args[0] if isinstance(value, ast.Call) and value.args else None
    return value


@dataclass(frozen=True)
class Unscaled:
    """Follows a loss back through names and helpers; unsure is scaled."""

    words: frozenset[str]  # names of what it would be divided by
    depth: int = 0

    def loss(self, value: ast.expr, frame: Frame) -> bool:
        """Whether a loss surely is a mean over its batch, and no part of one."""
        if self.depth > DEEPEST:
            return False
        if isinstance(value, ast.Name):
            return self._name(value, frame)
        if isinstance(value, ast.Call):
            return self._call(value, frame)
        if isinstance(value, ast.Attribute) and value.attr == "loss":
            return self._output(value.value, frame)
        if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant):
            return self._output(value.value, frame)
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub):
            return self._sum(value, frame)
        if isinstance(value, ast.UnaryOp):
            return self.loss(value.operand, frame)
        return isinstance(value, ast.IfExp) and all(
            self.loss(one, frame) for one in (value.body, value.orelse)
        )

    def _deeper(self) -> Unscaled:
        return replace(self, depth=self.depth + 1)

    def _name(self, name: ast.Name, frame: Frame) -> bool:
        """Whether all that a name may hold is unscaled."""
        bindings = frame.bindings.reaching(name.id, start(name), carried=True)
        further = self._deeper()
        return bool(bindings) and all(further._bound(one, name, frame) for one in bindings)

    def _bound(self, binding: Binding, name: ast.Name, frame: Frame) -> bool:
        if binding.role is Role.ARGUMENT and name.id in frame.given and frame.caller is not None:
            return self.loss(frame.given[name.id], frame.caller)
        if binding.role is Role.ITEM and isinstance(binding.value, ast.Call):
            return self._call(binding.value, frame)
        whole = binding.role is Role.WHOLE and binding.value is not None
        return whole and binding.value is not None and self.loss(binding.value, frame)

    def _output(self, value: ast.expr, frame: Frame) -> bool:
        """Whether the loss among a network's outputs is unscaled."""
        if isinstance(value, ast.Call):
            return self._call(value, frame)
        return isinstance(value, ast.Name) and self._name(value, frame)

    def _sum(self, value: ast.BinOp, frame: Frame) -> bool:
        """Whether a sum has a term that is a loss as it is, and none that is divided."""
        terms = [value.left, value.right]
        plain = [one for one in terms if self.loss(one, frame)]
        others = [one for one in terms if one not in plain]
        return bool(plain) and all(self._is_weighted(one) for one in others)

    def _is_weighted(self, value: ast.expr) -> bool:
        """Whether a term is `weight * aux`, by a weight that is no part of a number of batches."""
        product = isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult)
        return product and not _divides(value) and not self._told(text_of(value))

    def _told(self, text: str) -> bool:
        """Whether a text names what it could divide by."""
        words = re.findall(r"\w+", text)
        return not self.words.isdisjoint(words) or _DIVIDERS.search(text) is not None

    def _call(self, call: ast.Call, frame: Frame) -> bool:
        given = [*call.args, *(one.value for one in call.keywords)]
        told = [*map(text_of, given), *(one.arg or "" for one in call.keywords)]
        reduction = keyword(call, "reduction")
        kept = reduction is None or getattr(reduction, "value", None) == "mean"
        if not kept or any(map(self._told, told)):
            return False
        callee = frame.called(call)
        if callee is not None:
            return self._helper(callee, frame, call)
        func, name = call.func, called_name(call)
        if isinstance(func, ast.Attribute) and name == "mean":
            of_torch = text_of(func.value) == "torch" and call.args
            return self._mean(call.args[0] if of_torch else func.value, frame)
        if isinstance(func, ast.Attribute) and name in _KEEPING:
            return self.loss(func.value, frame)
        return self._is_loss(call, frame)

    def _mean(self, value: ast.expr, frame: Frame) -> bool:
        """Whether what a mean is taken of was divided by nothing before."""
        values = [value]
        if isinstance(value, ast.Name):
            found = frame.bindings.reaching(value.id, start(value), carried=True)
            if any(one.role not in (Role.WHOLE, Role.ITEM) for one in found):
                return False
            values = [one.value for one in found if one.value is not None]
        helpers = [one for made in values for one in calls_below(made) if frame.called(one)]
        plain = all(self._call(one, frame) for one in helpers)
        return plain and bool(values) and not any(map(self._is_scaled, values))

    def _is_scaled(self, value: ast.expr) -> bool:
        """Whether what a mean is taken of is multiplied or divided."""
        factors = (node for node in every_node(value) if isinstance(node, ast.BinOp))
        multiplied = any(isinstance(one.op, ast.Mult) for one in factors)
        return multiplied or _divides(value) or self._told(text_of(value))

    def _is_loss(self, call: ast.Call, frame: Frame) -> bool:
        """Whether a call out of sight computes a loss, by its name, and was told nothing else."""
        func, name = call.func, called_name(call)
        if _is_out_of_sight(call, frame):
            return False
        made = frame.attribute_values(func)
        if isinstance(func, ast.Name):
            made = [one.value for one in frame.bound(func.id)[1] if one.value is not None]
        if any(self._told(text) or _SUMMED.search(text) for text in map(text_of, made)):
            return False
        torchs = (frame.module.names.called(call) or "").startswith("torch.")
        if isinstance(func, ast.Attribute) and self_attribute(func) is None and not torchs:
            name = text_of(func.value).rpartition(".")[2]  # model.compute_loss(x), not trainer's
        return _LOSSES.search(name) is not None

    def _helper(self, callee: Function, frame: Frame, call: ast.Call) -> bool:
        """Whether a function in sight divides nothing, nor those that it calls."""
        if self.depth > DEEPEST or frame.runs(callee.node):
            return False
        text = callee.text
        if self._told(text) or _SUMMED.search(text) or _divides(callee.node):
            return False
        inner, further = frame.enter(callee, call), self._deeper()
        for node in own_nodes(callee.node):
            if isinstance(node, ast.Call):
                other = inner.called(node)
                if other is None and _is_out_of_sight(node, inner):
                    return False
                if other is not None and not further._helper(other, inner, node):
                    return False
        return True


def _is_out_of_sight(call: ast.Call, frame: Frame) -> bool:
    """Whether a method of `self` is called that no class in sight has, and that is no network."""
    own = self_attribute(call.func)
    return own is not None and not _NAMED.match(own) and not frame.attribute_values(call.func)


def _divides(value: ast.AST) -> bool:
    """Whether anything is divided or multiplied in an expression or a function."""
    operators = ast.BinOp | ast.AugAssign
    return any(
        (isinstance(node, operators) and isinstance(node.op, ast.Div))
        or (
            isinstance(node, ast.Call)
            and called_name(node).rstrip("_") in ("div", "mul", "true_divide")
        )
        for node in every_node(value)
    )
