"""Weights of a class that all begin as one number: parameters of ones, layers filled one by one.

One constant matrix among drawn ones is no harm: the others tell its units apart.  So all that the
class multiplies by has to be constant, and at least two matrices behind one another.
"""

from __future__ import annotations

import ast
import re

from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.constant_weights import DRAWN, TRIED
from gptdoctor.source.constructors import settings_of
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.kept import kept
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import calls_below, every_node

PARAMETER = "torch.nn.Parameter"
_TABLES = frozenset({"ones", "zeros", "full", "ones_like", "zeros_like", "full_like"})
_FILLS = frozenset({"constant_", "zeros_", "ones_", "fill_", "zero_"})
# What takes a weight as a matrix.
_MULTIPLIES = re.compile(r"linear\(|matmul\(|einsum\(|@|\.mm\(|bmm\(|addmm\(")
_BENDS = re.compile(r"relu|gelu|tanh|silu|sigmoid|swish|softplus|elu|mish", re.IGNORECASE)
# A start at zero on purpose, beside something that is drawn elsewhere.
_BESIDE = re.compile(
    r"lora|adapter|gate|alpha|rank|delta|residual|base|frozen|hyper", re.IGNORECASE
)
LEAST = 2


def may_be_constant(parameter: ast.AST) -> bool:
    """Whether a parameter may be a table of one number, by its own form: as few are."""
    first = parameter.args[0] if isinstance(parameter, ast.Call) and parameter.args else None
    return first is not None and _is_matrix(first)


@kept(8)
def constant_matrices(info: ClassInfo, function: Function) -> tuple[ast.Call, ...]:
    """The parameters of a constructor that are matrices of one number, where all of them are."""
    if info.text.count("Parameter(") < LEAST or not _is_alike(info):
        return ()
    found: list[ast.Call] = []
    for setting in settings_of(function.node):
        call = setting.value
        if function.module.names.called(call) != PARAMETER or not isinstance(call, ast.Call):
            continue
        table = call.args[0] if call.args else None
        if table is None or not _is_constant(table, function):
            return ()
        if _is_matrix(table) and _is_multiplied(info, setting.name):
            found.append(call)
    return tuple(found) if len(found) >= LEAST else ()


@kept(8)
def filled_layers(info: ClassInfo, function: Function) -> tuple[ast.Call, ...]:
    """The statements that fill the weights of all linear layers of a class, one by one."""
    made = {name: sum(map(_linears, values)) for name, values in info.attributes.items()}
    layers = {name for name, count in made.items() if count}
    lists = sum("ModuleList" in text_of(one) for name in layers for one in info.attributes[name])
    several = sum(made.values()) + lists
    if several < LEAST or info.text.count("Linear(") != sum(made.values()) or not _is_alike(info):
        return ()
    filled = _filled(function)
    if not all((name, "weight") in filled for name in layers):
        return ()
    biased = [name for name in layers if not _has_no_bias(info, name)]
    if not all((name, "bias") in filled for name in biased):
        return ()
    return tuple(filled[name, "weight"] for name in sorted(layers))


def _linears(value: ast.expr) -> int:
    """How many linear layers an expression makes, as it is written."""
    return text_of(value).count("Linear(")


def _is_alike(info: ClassInfo) -> bool:
    """Whether nothing in a class draws numbers, and it is not one that starts at zero by design."""
    text = info.text
    drawn = DRAWN.search(text) or DRAWN.search(_inits(info.module.text))
    return (
        not drawn
        and _BENDS.search(text) is not None
        and not (_BESIDE.search(text) or TRIED.search(info.module.text))
    )


def _inits(text: str) -> str:
    """The lines of a file that may draw weights of its classes from outside."""
    return "\n".join(line for line in text.split("\n") if "init" in line and "__init__" not in line)


def _is_constant(table: ast.expr, function: Function) -> bool:
    """`torch.ones(a, b) / a`, `0.1 * torch.ones(a, b)`, `torch.full((a, b), 0.02)`."""
    if isinstance(table, ast.BinOp):
        sides = [_is_constant(one, function) for one in (table.left, table.right)]
        plain = [not any(True for _ in calls_below(one)) for one in (table.left, table.right)]
        return any(sides) and all(a or b for a, b in zip(sides, plain, strict=True))
    if not isinstance(table, ast.Call) or called_name(table) not in _TABLES:
        return False
    qualified = function.module.names.called(table) or ""
    return qualified.startswith("torch.")


def _is_matrix(table: ast.expr) -> bool:
    """Whether a table has two sizes that are not written as 1."""
    for call in (one for one in every_node(table) if isinstance(one, ast.Call)):
        if called_name(call) not in _TABLES:
            continue
        sizes = list(call.args[:1] if called_name(call) == "full" else call.args)
        if len(sizes) == 1 and isinstance(sizes[0], ast.Tuple | ast.List):
            sizes = list(sizes[0].elts)
        wide = [one for one in sizes if not (isinstance(one, ast.Constant) and one.value == 1)]
        return len(sizes) == LEAST and len(wide) == LEAST
    return False


def _is_multiplied(info: ClassInfo, name: str) -> bool:
    """Whether a line of the class multiplies by an attribute as a matrix."""
    lines = (line for line in info.text.split("\n") if f"self.{name}" in line)
    return any(_MULTIPLIES.search(line) for line in lines)


@kept(16)
def _filled(function: Function) -> dict[tuple[str, str], ast.Call]:
    """The calls that fill `self.NAME.weight` and `self.NAME.bias` with one number."""
    found: dict[tuple[str, str], ast.Call] = {}
    for call in own_nodes(function.node):
        if not isinstance(call, ast.Call) or called_name(call) not in _FILLS:
            continue
        own = (function.module.names.called(call) or "").startswith("torch.nn.init.")
        target = call.args[0] if own and call.args else getattr(call.func, "value", None)
        if isinstance(target, ast.Attribute) and target.attr == "data":
            target = target.value
        name = _owner_of(target.value, function) if isinstance(target, ast.Attribute) else None
        if name is not None and isinstance(target, ast.Attribute):
            found[name, target.attr] = call
    return found


def _owner_of(layer: ast.expr, function: Function) -> str | None:
    """NAME of `self.NAME`, and of what a loop over `self.NAME` gives."""
    bound = function.reaching(layer) if isinstance(layer, ast.Name) else []
    one = bound[0] if len(bound) == 1 and bound[0].role is Role.ELEMENT else None
    return self_attribute(layer if one is None or one.value is None else one.value)


def _has_no_bias(info: ClassInfo, name: str) -> bool:
    for made in info.attributes.get(name, []):
        keywords = made.keywords if isinstance(made, ast.Call) else []
        given = [one.value for one in keywords if one.arg == "bias"]
        if not (given and isinstance(given[0], ast.Constant) and given[0].value is False):
            return False
    return True
