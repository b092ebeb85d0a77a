"""Follows a backward pass from operation to operation: the size of the gradient at each tensor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor

from gptdoctor.probes.instruments.operation_log import Operation, OperationLog


@dataclass(kw_only=True, eq=False)
class Node:
    """One tensor of the graph; its norm comes with the backward pass."""

    tensor: Tensor
    maker: Operation | None  # None: a parameter, or made before the watch began
    norm: float | None = None  # of its gradient, all its uses together; None: none came
    finite: bool = True
    order: int = -1  # in which the gradients came

    @property
    def is_parameter(self) -> bool:
        """Whether nothing made it: gradients end here."""
        return self.maker is None


@dataclass(kw_only=True)
class BackwardWatch(OperationLog):
    """While active, hooks all tensors on the graph; then the user's loss runs backward."""

    nodes: list[Node] = field(default_factory=list)
    used: dict[int, tuple[Node, ...]] = field(default_factory=dict)  # id(operation) -> its inputs
    results: dict[int, tuple[Node, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._known: dict[int, Node] = {}
        self._came = 0
        self._waiting: tuple[Node, ...] = ()

    def before(self, given: tuple[Tensor, ...]) -> None:
        """Hook what is used: afterwards an operation in place has made another of it."""
        self._waiting = tuple(self._node(each) for each in given if each.requires_grad)

    def after(self, operation: Operation) -> None:
        """Hook what was made."""
        self.used[id(operation)] = self._waiting
        made = [each for each in operation.made if each.requires_grad]
        self.results[id(operation)] = tuple(self._hook(each, operation) for each in made)

    def _node(self, tensor: Tensor) -> Node:
        return self._known.get(id(tensor)) or self._hook(tensor, None)

    def _hook(self, tensor: Tensor, maker: Operation | None) -> Node:
        node = Node(tensor=tensor, maker=maker)

        def came(gradient: Tensor) -> None:
            norm = gradient.detach().float().norm().item()
            node.norm, node.finite, node.order = norm, bool(gradient.isfinite().all()), self._came
            self._came += 1

        tensor.register_hook(came)  # type: ignore[no-untyped-call]
        self.nodes.append(node)
        self._known[id(tensor)] = node
        return node

    def flows(self) -> Iterator[tuple[Operation, float, float]]:
        """Each operation that a gradient came to: its norm there, and at what it was given.

        The last operation of the forward pass comes first.
        """
        for operation in reversed(self.operations):
            out = [node.norm for node in self.results[id(operation)] if node.norm is not None]
            into = [node.norm for node in self.used[id(operation)] if node.norm is not None]
            if out and into and self.used[id(operation)]:
                yield operation, math.hypot(*out), math.hypot(*into)

    def parameters_without(self, operation: Operation | None) -> int:
        """How many parameters the last result hears of; not through `operation`, if given."""
        if not self.operations:
            return 0
        reached: set[int] = set()
        waiting = list(self.results[id(self.operations[-1])])
        while waiting:
            node = waiting.pop()
            if id(node) in reached or (operation is not None and node.maker is operation):
                continue
            reached.add(id(node))
            waiting += self.used[id(node.maker)] if node.maker is not None else ()
        return sum(node.is_parameter for node in self.nodes if id(node) in reached)

    def users(self, node: Node) -> list[Operation]:
        """The operations that were given a tensor."""
        return [one for one in self.operations if node in self.used[id(one)]]


def spoiler(watch: BackwardWatch) -> Operation | None:
    """The operation that was told a finite gradient and passed on one that is not."""
    spoiled = [node for node in watch.nodes if not node.finite]
    for node in sorted(spoiled, key=lambda each: each.order):
        users = [
            one
            for one in watch.users(node)
            if all(each.finite for each in watch.results[id(one)] if each.norm is not None)
            and any(each.norm is not None for each in watch.results[id(one)])
        ]
        users.sort(key=lambda one: _STEEP.get(one.name, 0), reverse=True)
        if users:
            return users[0]
    return None


# How likely the slope of an operation is infinite where its value is finite.
_STEEP = {
    **dict.fromkeys(("sqrt", "sqrt_", "norm", "std", "var", "pow", "__pow__", "rsqrt", "cdist"), 3),
    **dict.fromkeys(("log", "log_", "acos", "asin", "atanh", "div", "__truediv__", "normalize"), 2),
    **dict.fromkeys(("where", "mul", "__mul__"), 1),
}


def bottleneck(watch: BackwardWatch, least_share: float) -> tuple[Operation, float] | None:
    """The operation nearest the loss that lets through less than `least_share` of the gradient.

    Only one that most of the parameters hear the loss through; with the share that it lets by.
    """
    everything = watch.parameters_without(None)
    for operation, out, into in watch.flows():
        if out > 0 and into < least_share * out:
            others = watch.parameters_without(operation)
            if 2 * others <= everything:
                return operation, into / out
    return None
