"""Values whose last dimension is of size one: what a layer with a single feature gives."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.activations import built_at
from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.imports import is_none
from gptdoctor.source.kept import kept
from gptdoctor.source.matrix_products import is_product, sides
from gptdoctor.source.module import SourceModule
from gptdoctor.source.value_ways import keyword, operation, ways_of

# What works on each number for itself, or in its place, and leaves all sizes as they are.
_POINTWISE = frozenset(
    {"tanh", "relu", "leaky_relu", "elu", "exp", "sigmoid", "dropout", "float", "clamp"}
    | {"masked_fill", "masked_fill_", "div", "mul"}
)
_SINGLE = re.compile(r"[^\S\n]1\)|,1\b|=\s*1\b")
_LAST = (1, 2)  # the place of the size of what a Linear gives, and how many it takes at least


@kept(32)
def says_single(home: ClassInfo | SourceModule) -> bool:
    """Whether a class, or a file, makes a layer of a single feature: a first answer by its text."""
    made = "Linear" in home.text or "Parameter" in home.text
    return made and _SINGLE.search(home.text) is not None


def is_single(value: ast.expr, function: Function) -> bool:
    """Whether a value's last dimension is one, whichever way it came."""
    ways = ways_of(value, function, _pointwise)
    return bool(ways) and all(
        one.binding is None and one.source is not None and _gives_one(one.source, function)
        for one in ways
    )


def _pointwise(value: ast.expr, function: Function) -> list[ast.expr]:
    """What a value has the sizes of: a `Follow`."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div | ast.Mult):
        scalar = isinstance(value.right, ast.Constant | ast.Attribute)
        return [value.left] if scalar or "sqrt" in ast.unparse(value.right) else []
    made = operation(value, function)
    return [made[1]] if made is not None and made[0] in _POINTWISE else []


def _gives_one(call: ast.expr, function: Function) -> bool:
    """Whether a layer of one feature gives a value, or a product with a single column."""
    if is_product(call):
        return len(sides(call)) == len(_LAST) and _is_column(sides(call)[1], function)
    if not isinstance(call, ast.Call):
        return False
    built = built_at(call.func, function)
    return bool(built) and all(ends_single(one, function) for one in built)


def _is_column(value: ast.expr, function: Function) -> bool:
    """Whether a value is a parameter of the class with a last size of 1: `torch.randn(d, 1)`."""
    own, owner = self_attribute(value), function.owner
    made = owner.attributes.get(own, []) if own and owner is not None else []
    called = function.module.names.called
    tables = [one.args[0] for one in made if isinstance(one, ast.Call) and one.args]
    return (
        bool(tables)
        and all(called(one) == "torch.nn.Parameter" for one in made)
        and all(map(_ends_with_one, tables))
    )


def _ends_with_one(table: ast.expr) -> bool:
    while isinstance(table, ast.BinOp):  # scaled
        table = table.left if isinstance(table.left, ast.Call) else table.right
    sizes = list(table.args) if isinstance(table, ast.Call) else []
    if len(sizes) == 1 and isinstance(sizes[0], ast.Tuple | ast.List):
        sizes = list(sizes[0].elts)
    last = sizes[-1] if len(sizes) == len(_LAST) else None
    return isinstance(last, ast.Constant) and last.value == 1


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
