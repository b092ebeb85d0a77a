"""What a mask over pairs of positions is: where it is set, and what stands in it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from enum import Enum

from gptdoctor.source.float_values import is_float
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of

# A score that a softmax takes to nothing: where it is hidden with less, it still counts.
HIDING = -1e3
DTYPE = re.compile(r"(torch\.|numpy\.|torch\.\w*\.)?(\w+)$")


class Kind(Enum):
    """What stands in a mask."""

    BOOL = "bool"
    NUMBER = "float"  # zeros and ones
    INTEGER = "integer"
    ADDITIVE = "additive"  # zeros, and numbers that take a score to nothing
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Region:
    """The pairs with j - i <= offset (lower), or those with j - i >= offset (upper)."""

    lower: bool
    offset: int
    square: bool = True  # as many columns as rows: the offset means what it says

    @property
    def rest(self) -> Region:
        """All other pairs."""
        return Region(not self.lower, self.offset + (1 if self.lower else -1), self.square)


@dataclass(frozen=True)
class Mask:
    """One mask; `region` is where it is set, None where the text does not tell or it is padding."""

    kind: Kind
    region: Region | None
    border: ast.expr | None = None  # what drew it: a tril, a comparison of ranges
    drawn_in: Function | None = None
    value: float = 1.0  # of what is set

    @property
    def inverted(self) -> Mask:
        """What is set and what is not exchanged."""
        return replace(self, region=self.region and self.region.rest)


def compared(inner: Mask | None, operator: ast.cmpop, against: float | None) -> Mask | None:
    """`m == 0`, `m != 1`, `m > 0.5`: the truth of what a mask holds."""
    if inner is None or against is None:
        return None
    same = replace(inner, kind=Kind.BOOL, value=1.0)
    additive = inner.kind is Kind.ADDITIVE
    if isinstance(operator, ast.Eq | ast.NotEq):
        if against == 0.0:
            return same.inverted if isinstance(operator, ast.Eq) else same
        if against == inner.value:
            return same if isinstance(operator, ast.Eq) else same.inverted
        return None
    if isinstance(operator, ast.Gt | ast.GtE) and not additive and 0.0 <= against <= 1.0:
        return same if against > 0.0 or isinstance(operator, ast.Gt) else None
    if isinstance(operator, ast.Lt | ast.LtE) and 0.0 < against <= 1.0 and not additive:
        return same.inverted if isinstance(operator, ast.Lt) or against < 1.0 else None
    if isinstance(operator, ast.Lt) and additive and inner.value < against <= 0.0:
        return same
    return None


def typed(dtype: ast.expr | None, usual: Kind, function: Function) -> Kind:
    """The kind that a dtype gives to ones; `usual` without one."""
    if dtype is None:
        return usual
    if isinstance(dtype, ast.Attribute) and dtype.attr == "dtype":
        return Kind.NUMBER if is_float(dtype.value, function) else Kind.UNKNOWN
    found = DTYPE.match(function.module.names.qualified(dtype) or "")
    name = found.group(2) if found else ""
    home = (function.module.names.qualified(dtype) or "").partition(".")[0]
    if home not in ("torch", "numpy", "bool", "float", "int"):
        return Kind.UNKNOWN
    if name in ("bool", "BoolTensor", "bool_"):
        return Kind.BOOL
    if name.startswith(("float", "bfloat", "half", "double", "FloatTensor")):
        return Kind.NUMBER
    return Kind.INTEGER if name.startswith(("int", "uint", "long", "byte")) else Kind.UNKNOWN


def cast_kind(name: str, call: ast.Call, kind: Kind, function: Function) -> Kind:
    """The kind after `.to(...)`: a device leaves it as it is."""
    named = {one.arg: one.value for one in call.keywords}
    given = named.get("dtype") or (call.args[0] if call.args else None)
    if isinstance(given, ast.Name) and is_float(given, function):
        return Kind.NUMBER
    if name == "type_as":
        return Kind.UNKNOWN
    if isinstance(given, ast.Constant) and given.value in ("uint8", "int64", "bool", "float32"):
        if name == "astype":
            return Kind.BOOL if given.value == "bool" else Kind.INTEGER
        return kind
    found = typed(given, Kind.UNKNOWN, function)
    if found is Kind.UNKNOWN and given is not None and "dtype" not in named:
        words = text_of(given)
        return kind if "device" in words or words.startswith(("'", '"')) else Kind.UNKNOWN
    return found if given is not None else kind


def cast(inner: Mask, kind: Kind) -> Mask:
    """A mask of another kind; one that is added stays what it is in all numbers."""
    if inner.kind is Kind.ADDITIVE and kind is not Kind.BOOL:
        return inner
    return replace(inner, kind=kind, value=1.0)
