"""What scores are, whichever way they came: probabilities, logarithms, or as a layer gave them."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from gptdoctor.source.activations import activation, built_at
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.kept import kept
from gptdoctor.source.known_networks import function_run
from gptdoctor.source.matrix_products import is_product, sides
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.value_ways import Way, operation, shaped_from, ways_of

PROBABILITIES = frozenset({"softmax", "sigmoid"})
LOGARITHMS = frozenset({"log_softmax", "logsigmoid", "log"})
RAW = "linear"  # as a linear layer gives them, or a model's output calls them logits
MOST_CALLS = 3  # helpers of helpers of helpers
# Layers whose results are any numbers, large or small, of either sign.
_LINEAR = frozenset(
    f"torch.nn.{name}"
    for name in ("Linear", "LazyLinear", "Bilinear", "Conv1d", "Conv2d", "Conv3d")
)
_PICKING = frozenset({"gather", "take_along_dim", "take", "detach", "requires_grad_"})
# What is done to such numbers and leaves them as wide.
_WIDE = frozenset({"masked_fill", "dropout"})


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores:
    """One kind of scores, and where they are made."""

    kind: str  # "softmax", "log_softmax", ..., or RAW
    made: ast.expr
    averaged: bool = False  # over several models or views: no logarithm of one softmax


def scores_of(
    value: ast.expr, function: Function, project: Project | None = None, depth: int = 0
) -> Scores | None:
    """What a value is, where all ways that it may have come agree; None where they do not.

    With a project, what its functions and the models in sight return counts as well.
    """
    search, first = _Search(project, depth), None
    for way in _picked_ways(value, function):
        found = search.scores(way, function)
        if found is None or (first is not None and found.kind != first.kind):
            return None  # whatever the other ways are
        first = first or found
    return first


@kept(16)  # asked of the function by itself, then with what it calls
def _picked_ways(value: ast.expr, function: Function) -> tuple[Way, ...]:
    return tuple(ways_of(value, function, _picked_from))


@dataclass(frozen=True)
class _Search:
    """Finds what the sources of a value's ways are."""

    project: Project | None  # None: calls are not followed
    depth: int

    def scores(self, way: Way, function: Function) -> Scores | None:
        """What one way begins as."""
        source, binding = way.source, way.binding
        if source is None or (binding is not None and binding.role is not Role.ITEM):
            return None
        item = _picked(way) if binding is None else binding.index
        if isinstance(source, ast.GeneratorExp | ast.ListComp):
            source, binding, item = source.elt, None, None  # p, q = (softmax(t) for t in (a, b))
        kind = _kind(source, function) if binding is None else ""
        unpacked = binding is not None
        kind = (
            kind
            or self._returned(source, item, unpacked, function)
            or self._scaled(source, function)
        )
        averaged = any(called_name(one) == "mean" for one in way.steps)
        return Scores(kind=kind, made=source, averaged=averaged) if kind else None

    def _returned(
        self, call: ast.expr, item: int | str | None, unpacked: bool, function: Function
    ) -> str:
        """What the function of the project returns that a call runs, or one item of it."""
        if self.project is None or self.depth >= MOST_CALLS or not isinstance(call, ast.Call):
            return ""
        run = function_run(call, function, self.project)
        given = [] if run is None else [_item(one, item, unpacked=unpacked) for one in run.returned]
        if run is None or not given or "yield" in run.text:
            return ""
        found = [
            scores_of(one, run, self.project, self.depth + 1) if one is not None else None
            for one in given
        ]
        kinds = {"" if one is None else one.kind for one in found}
        return kinds.pop() if len(kinds) == 1 else ""

    def _scaled(self, value: ast.expr, function: Function) -> str:
        """Logits that a number divides, or that something is added to, are still logits."""
        if isinstance(value, ast.BinOp):
            inner, by = value.left, value.right
            number = isinstance(by, ast.Constant | ast.Name | ast.Attribute)
            number = number and isinstance(value.op, ast.Div | ast.Mult | ast.Add)
        else:
            made = operation(value, function)
            number = made is not None and made[0] in _WIDE
            inner = value if made is None else made[1]
        found = scores_of(inner, function, self.project, self.depth + 1) if number else None
        return RAW if found is not None and found.kind == RAW else ""


def _picked_from(value: ast.expr, function: Function) -> list[ast.expr]:
    """What a value is the same numbers as, or some of them: those at the targets, too."""
    made = operation(value, function)
    if made is not None and isinstance(value, ast.Call) and _mixes(made[0], value):
        return list(made[1].elts) if isinstance(made[1], ast.List | ast.Tuple) else [made[1]]
    return [made[1]] if made and made[0] in _PICKING else shaped_from(value, function)


def _mixes(name: str, call: ast.Call) -> bool:
    """Whether an operation puts several of a kind together, or takes their mean, one by one.

    Along the first dimension: `torch.stack([p, q]).mean(0)`; of those of one it makes a number.
    """
    if name == "stack":
        return not any(one.arg == "dim" for one in call.keywords)
    dims = [*call.args, *(one.value for one in call.keywords if one.arg == "dim")]
    first = bool(dims) and isinstance(dims[-1], ast.Constant) and dims[-1].value == 0
    return name == "mean" and first


def _picked(way: Way) -> int | str | None:
    """Which item of a tuple or a table a way takes first: "logits" of `model(x)["logits"]`."""
    taken = [one.slice for one in way.steps if isinstance(one, ast.Subscript)]
    last = taken[-1] if taken else None
    key = last.value if isinstance(last, ast.Constant) else None
    return key if isinstance(key, int | str) else None


def _item(value: ast.expr, item: int | str | None, *, unpacked: bool) -> ast.expr | None:
    """What an item of a returned value is, or the whole of it."""
    if isinstance(value, ast.Dict):
        pairs = zip(value.keys, value.values, strict=True)
        named = [one for key, one in pairs if isinstance(key, ast.Constant) and key.value == item]
        return named[0] if named else None
    if isinstance(value, ast.Tuple):
        known = isinstance(item, int) and item < len(value.elts)
        return value.elts[item] if known and isinstance(item, int) else None
    # A row of a tensor is of its kind; what a call is unpacked to is not known.
    return None if unpacked or isinstance(item, str) else value


def _kind(source: ast.expr, function: Function) -> str:
    made = activation(source, function)
    if made is not None:
        return made[0]
    if isinstance(source, ast.Attribute):
        return RAW if source.attr == "logits" and not self_attribute(source) else ""
    return RAW if _is_raw(source, function) else ""


def _is_raw(value: ast.expr, function: Function) -> bool:
    """Whether a value is what a layer without an activation gives, alone or last in a stack."""
    if function.module.names.called(value) == "torch.nn.functional.linear":
        return True
    if is_product(value):
        return any(_is_table(one, function) for one in sides(value)[1:])
    built = built_at(value.func, function) if isinstance(value, ast.Call) else []
    return bool(built) and all(_ends_linear(one, function) for one in built)


def _is_table(value: ast.expr, function: Function) -> bool:
    """Whether what scores are multiplied by last are weights: of an embedding, or the class's own.

    `h @ self.embed.weight.t()`, `einsum("bd,dv->bv", h, self.classes)`.
    """
    if ".weight" in ast.unparse(value):
        return True
    while isinstance(value, ast.Call | ast.Attribute) and not self_attribute(value):
        value = value.func if isinstance(value, ast.Call) else value.value
    own, owner = self_attribute(value), function.owner
    made = owner.attributes.get(own, []) if own and owner is not None else []
    called = function.module.names.called
    return bool(made) and all(called(one) == "torch.nn.Parameter" for one in made)


def _ends_linear(built: ast.expr, function: Function) -> bool:
    called = function.module.names.called(built) or ""
    if called == "torch.nn.Sequential" and isinstance(built, ast.Call) and built.args:
        return _ends_linear(built.args[-1], function)
    return called in _LINEAR


def is_linear(value: ast.expr, function: Function) -> bool:
    """Whether a value is what a linear layer of the class gives."""
    own = self_attribute(value.func) if isinstance(value, ast.Call) else None
    built = function.owner.attributes.get(own, []) if own and function.owner else []
    called = function.module.names.called
    return bool(built) and all(called(one) == "torch.nn.Linear" for one in built)
