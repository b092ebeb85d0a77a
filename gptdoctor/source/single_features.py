"""Values whose last dimension is of size one: what a layer with a single feature gives."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.activations import built_at
from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.imports import is_none
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.value_ways import keyword, operation, ways_of

# What works on each number for itself, or in its place, and leaves all sizes as they are.
_POINTWISE = frozenset(
    {"tanh", "relu", "leaky_relu", "elu", "exp", "sigmoid", "dropout", "float", "clamp"}
    | {"masked_fill", "masked_fill_", "div", "mul"}
)
_SINGLE = re.compile(r"Linear\([^\n]*,\s*(out_features\s*=\s*)?1\b|out_features\s*=\s*1\b")
_LAST = (1, 2)  # the place of the size of what a Linear gives, and how many it takes at least


@kept(32)
def says_single(home: ClassInfo | SourceModule) -> bool:
    """Whether a class, or a file, makes a layer of a single feature: a first answer by its text."""
    return "Linear" in home.text and _SINGLE.search(home.text) is not None


def is_single(value: ast.expr, function: Function) -> bool:
    """Whether a value's last dimension is one, whichever way it came."""
    ways = ways_of(value, function, _pointwise)
    return bool(ways) and all(
        one.binding is None
        and isinstance(one.source, ast.Call)
        and _gives_one(one.source, function)
        for one in ways
    )


def _pointwise(value: ast.expr, function: Function) -> list[ast.expr]:
    """What a value has the sizes of: a `Follow`."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div | ast.Mult):
        scalar = isinstance(value.right, ast.Constant | ast.Attribute)
        return [value.left] if scalar or "sqrt" in ast.unparse(value.right) else []
    made = operation(value, function)
    return [made[1]] if made is not None and made[0] in _POINTWISE else []


def _gives_one(call: ast.Call, function: Function) -> bool:
    built = built_at(call.func, function)
    return bool(built) and all(ends_single(one, function) for one in built)


def ends_single(built: ast.expr, function: Function) -> bool:
    """Whether a layer, or the last one of a stack that has a size, gives a single feature."""
    called = function.module.names.called(built) or ""
    if not isinstance(built, ast.Call) or any(is_none(one) for one in built.args):
        return False
    if called == "torch.nn.Sequential" and built.args:
        return ends_single(built.args[-1], function)
    place, least = _LAST
    by_place = built.args[place] if len(built.args) >= least else None
    size = keyword(built, "out_features") or by_place
    one = isinstance(size, ast.Constant) and size.value == 1
    return called == "torch.nn.Linear" and one
