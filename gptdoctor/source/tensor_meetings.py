"""Where a tensor that a network keeps as a plain attribute meets tensors of the data.

torch moves, casts and saves parameters and buffers.  A plain tensor stays on the device that it
was made on, which matters where an operation takes it together with others.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cached_property

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.constructors import Constructor, own_text
from gptdoctor.source.flow_attributes import PARAMETERLESS
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_gradients import gradients_of
from gptdoctor.source.flow_operations import METADATA, TENSOR
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node

# Calls after which the value is on another device, or no tensor any more.
MOVING = frozenset({"to", "cuda", "cpu", "type_as", "new_tensor", "pin_memory", "item", "tolist"})
MOVING |= {"numpy", "requires_grad_", "share_memory_", "size", "numel", "dim", "expand_as"}
SIZES = frozenset({"size", "numel", "dim"})  # tell of a tensor, which stays where it is
# Operations of a tensor's method that take other tensors, and fail where these are elsewhere.
JOINING = frozenset(
    {"masked_fill", "masked_fill_", "matmul", "add", "add_", "mul", "mul_", "sub", "div", "bmm"}
    | {"where", "einsum", "cat", "stack", "linear", "mm", "maximum", "minimum", "softmax", "conv1d"}
    | {
        "conv2d",
        "outer",
        "lerp",
        "addmm",
        "logical_and",
        "logical_or",
        "scaled_dot_product_attention",
        "embedding",
        "cross_entropy",
        "nll_loss",
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
    }
)
# What is plainly a type: torch.float32, x.dtype, input_dtype.
TYPE = re.compile(r"^torch\.(b?float|half|double)\d*$|dtype$")
MOST = 60  # places of one tensor that are looked at


class Meetings:
    """The places at which the methods of a class read one of its tensors."""

    def __init__(self, constructor: Constructor, name: str) -> None:
        self.constructor, self.name = constructor, name
        self.text = own_text(constructor.info)

    def met_unmoved(self) -> bool:
        """Whether the tensor meets one of the data's where it lies, and is never moved there."""
        places = self._places
        return not any(map(self._is_moved, places)) and any(map(self._meets, places))

    @cached_property
    def _places(self) -> list[ast.AST]:
        """The attribute, and the names that it is given to, wherever they are read."""
        uses = self.text.uses(self.name)
        found = [use.node for use in uses if use.method is not self.constructor.node]
        places: dict[ast.AST, None] = dict.fromkeys(found)
        queue = list(places)
        while queue and len(places) < MOST:
            for reader in self._readers(queue.pop()):
                if reader not in places:
                    places[reader] = None
                    queue.append(reader)
        return list(places)

    def _readers(self, node: ast.AST) -> Iterator[ast.AST]:
        """Where the names are read that a place's value is assigned to as it is, or in part."""
        item, below = -1, node  # which of several values it is
        for around in self._outward(node):
            if isinstance(around, ast.BinOp) or _is_about(around):
                return
            if isinstance(around, ast.Tuple):
                item = next((at for at, one in enumerate(around.elts) if one is below), -1)
            below = around
            if isinstance(around, ast.Assign):
                targets = {one.id for one in around.targets if isinstance(one, ast.Name)}
                targets |= _named_at(item, around)
                method = self._method(around)
                if method is not None and targets:
                    yield from _reads(method, targets)

    def _is_moved(self, node: ast.AST) -> bool:
        """Whether a value goes where it may be moved."""
        for around in self._outward(node):
            if isinstance(around, ast.BinOp):
                return False  # here it meets another one as it is
            if isinstance(around, ast.Attribute) and around.attr in SIZES:
                return False
            if isinstance(around, ast.Attribute) and around.attr in MOVING | {"device", "data"}:
                if self._is_cast(around):
                    continue
                return True
            if _is_about(around):
                return False  # a shape is no tensor any more
            if isinstance(around, ast.Call):
                given = any(keyword.arg == "device" for keyword in around.keywords)
                if not given and self._is_layer(around):
                    return False  # a layer works where its weights are
                if given or not _is_operation(around):
                    return True
                if called_name(around) in JOINING:
                    return False
            if isinstance(around, ast.Return | ast.Yield | ast.Dict | ast.Lambda | ast.For):
                return True
        return False

    def _is_layer(self, call: ast.Call) -> bool:
        """Whether a call is of an attribute that is one of torch's layers, and has weights."""
        name = self_attribute(call.func)
        if name is None:
            return False
        made = set(self.constructor.info.attribute_called(name))
        return bool(made) and all(
            home == "torch.nn" and last[:1].isupper() and not PARAMETERLESS.search(last)
            for home, _, last in (one.rpartition(".") for one in made)
        )

    def _is_cast(self, method: ast.Attribute) -> bool:
        """Whether `x.to` is given a type alone, which leaves the tensor where it is."""
        call = self.text.parent(method)
        if method.attr != "to" or not isinstance(call, ast.Call) or call.func is not method:
            return False
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        return len(given) == 1 and TYPE.search(text_of(given[0])) is not None

    def _meets(self, node: ast.AST) -> bool:
        """Whether a value is an operand beside a tensor of the data."""
        below = node
        for around in self._outward(node):
            if isinstance(around, ast.Subscript) and below is around.slice:
                return False  # an index may lie on the CPU
            if _is_about(around):
                return False
            if isinstance(around, ast.BinOp):
                other = around.right if around.left is below else around.left
                if self._is_of_the_data(other, node):
                    return True
            if isinstance(around, ast.Call) and self._is_layer(around):
                return below is not around.func
            if isinstance(around, ast.Call) and below is not around.func:
                return called_name(around) in JOINING and any(
                    self._is_of_the_data(one, node) for one in _given(around) if one is not below
                )
            below = around
        return False

    def _is_of_the_data(self, other: ast.expr, node: ast.AST) -> bool:
        """Whether a value is a tensor that comes from the inputs or from layers."""
        method = self._method(node)
        if method is None:
            return False
        if gradients_of(self.constructor.project).of(other, method):
            return True
        for name in every_node(other):
            for binding in method.reaching(name) if isinstance(name, ast.Name) else ():
                if binding.role is Role.ARGUMENT and _is_tensor(binding.name, method):
                    return True
                if binding.value is not None and "device=" in text_of(binding.value):
                    return True
        return False

    def _method(self, node: ast.AST) -> Function | None:
        """The function that a node stands in."""
        functions = functions_of(self.constructor.project, self.constructor.info.module)
        around = (one for one in self.text.above(node))
        return next((functions[one] for one in around if isinstance(one, ast.FunctionDef)), None)

    def _outward(self, node: ast.AST) -> Iterator[ast.AST]:
        """What is around a node, up to its statement."""
        for around in self.text.above(node):
            yield around
            if isinstance(around, ast.stmt):
                return


def _is_about(node: ast.AST) -> bool:
    """Whether a node tells of a tensor: `x.dtype`, `x.shape`, `x.size`."""
    if not isinstance(node, ast.Attribute):
        return False
    return node.attr in SIZES or METADATA.match(node.attr) is not None


def _named_at(item: int, statement: ast.Assign) -> set[str]:
    """The names that `a, b = x, y` gives one of its values to."""
    several = [one.elts for one in statement.targets if isinstance(one, ast.Tuple)]
    alike = isinstance(statement.value, ast.Tuple) and item >= 0
    length = len(statement.value.elts) if isinstance(statement.value, ast.Tuple) else 0
    given = [one[item] for one in several if alike and len(one) == length]
    return {one.id for one in given if isinstance(one, ast.Name)}


def _reads(method: Function, names: set[str]) -> Iterator[ast.Name]:
    """Where local names are read."""
    for node in every_node(method.node):
        if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load):
            yield node


def _is_tensor(name: str, method: Function) -> bool:
    """Whether a parameter is annotated as a tensor."""
    every = method.node.args
    return any(
        one.arg == name
        and one.annotation is not None
        and TENSOR.search(text_of(one.annotation)) is not None
        for one in [*every.posonlyargs, *every.args, *every.kwonlyargs]
    )


def _given(call: ast.Call) -> list[ast.expr]:
    """All that an operation works with: its receiver and arguments, those in lists included."""
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    if isinstance(call.func, ast.Attribute):
        given.append(call.func.value)
    return [
        inner
        for one in given
        for inner in (one.elts if isinstance(one, ast.List | ast.Tuple) else [one])
    ]


def _is_operation(call: ast.Call) -> bool:
    """Whether a call is an operation of torch's or of a tensor, by its name: not one of ours."""
    if isinstance(call.func, ast.Name):
        return call.func.id in ("len", "range", "enumerate", "print", "int", "float", "einsum")
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    own = isinstance(receiver, ast.Name) and receiver.id in ("self", "cls")
    return not own and called_name(call).replace("_", "").islower()
