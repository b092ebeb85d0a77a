"""Masks over pairs of positions, as the text builds them: which are set, and of what kind they are.

Rows are the positions that look, columns those that are looked at: `tril` and `triu` of a table of
ones, comparisons of two ranges of positions, and what turns them round, casts or fills them.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace

from gptdoctor.source.callees import callee_of
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.given_masks import given_for
from gptdoctor.source.mask_forms import HIDING, Kind, Mask, Region, cast, cast_kind, compared
from gptdoctor.source.mask_tables import (
    FULL,
    TRIANGLES,
    diagonal_of,
    full_table,
    is_square,
    operand,
    ranges_compared,
)
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import bound_to, kept_in, number_of

# Names of token ids: compared with one id they give a mask of padding.
TOKENS = re.compile(r"(^|_)(ids|idx|tokens|src|tgt)$")
DEEPEST = 12  # expressions followed from one to the next
# What hands a mask on as it is, in another shape or place.
SHAPING = frozenset(
    {"view", "reshape", "unsqueeze", "squeeze", "expand", "expand_as", "repeat", "contiguous"}
    | {"clone", "detach", "cuda", "cpu", "from_numpy", "as_tensor", "Parameter", "Buffer"}
)
CASTS = {"bool": "BOOL", "float": "NUMBER", "half": "NUMBER", "double": "NUMBER"}
CASTS |= {"bfloat16": "NUMBER", "long": "INTEGER", "int": "INTEGER", "byte": "INTEGER"}
ZEROS = frozenset({"zeros", "zeros_like", "new_zeros"})


@dataclass(frozen=True, eq=False)
class MaskReader:
    """Reads the masks of one project."""

    project: Project

    def read(self, value: ast.expr, function: Function, depth: int = 0) -> Mask | None:
        """The mask that an expression is, or None where it is none that can be read."""
        if depth > DEEPEST:
            return None
        depth += 1
        if isinstance(value, ast.Name):
            bound = bound_to(value, function)
            if bound is None:
                return self._given(value, function, depth)
            return self.read(bound, function, depth)
        if isinstance(value, ast.Attribute):
            return self._attribute(value, function, depth)
        if isinstance(value, ast.Subscript):
            return self._indexed(value, function, depth)
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Invert):
            inner = self.read(value.operand, function, depth)
            return inner.inverted if inner is not None and inner.kind is Kind.BOOL else None
        if isinstance(value, ast.Compare):
            return self._compared(value, function, depth)
        if isinstance(value, ast.BinOp):
            return self._computed(value, function, depth)
        return self._called(value, function, depth) if isinstance(value, ast.Call) else None

    def _given(self, name: ast.Name, function: Function, depth: int) -> Mask | None:
        """The mask that all calls of a function give for its parameter."""
        given = given_for(self.project, name, function)
        found = [self.read(one, where, depth) for one, where in given]
        first = found[0] if found else None
        known = [one for one in found if one is not None]
        alike = {(one.kind, one.region) for one in known}
        return first if len(known) == len(found) and len(alike) == 1 else None

    def _attribute(self, value: ast.Attribute, function: Function, depth: int) -> Mask | None:
        if isinstance(value.value, ast.Name) and value.value.id == "self":
            kept = kept_in(self.project, function, value.attr)
            return None if kept is None else self.read(kept[0], kept[1], depth)
        return self.read(value.value, function, depth) if value.attr == "data" else None

    def _indexed(self, value: ast.Subscript, function: Function, depth: int) -> Mask | None:
        """A corner of a mask; one cut from another place has another border."""
        places = value.slice.elts if isinstance(value.slice, ast.Tuple) else [value.slice]
        starts = [one.lower for one in places if isinstance(one, ast.Slice) and one.lower]
        if any(number_of(one, function) not in (0.0, None) for one in starts):
            return None
        steps = any(isinstance(one, ast.Slice) and one.step for one in places)
        picks = any(not _is_whole(one) for one in places)
        inner = None if steps or picks else self.read(value.value, function, depth)
        if inner is not None and inner.region is not None and _uneven(places):
            return replace(inner, region=replace(inner.region, square=False))
        return inner

    def _compared(self, value: ast.Compare, function: Function, depth: int) -> Mask | None:
        if len(value.ops) != 1:
            return None
        ranged = ranges_compared(value, function)
        if ranged is not None:
            return Mask(Kind.BOOL, ranged, value, function)
        inner = self.read(value.left, function, depth)
        against = number_of(value.comparators[0], function)
        if isinstance(value.comparators[0], ast.Constant) and value.comparators[0].value is False:
            against = 0.0
        found = compared(inner, value.ops[0], against)
        if found is None and inner is None and _compares_tensors(value):
            return Mask(Kind.BOOL, None)  # of padding, most often
        return found

    def _computed(self, value: ast.BinOp, function: Function, depth: int) -> Mask | None:
        left, right = number_of(value.left, function), number_of(value.right, function)
        if isinstance(value.op, ast.Sub) and left == 1.0:
            inner = self.read(value.right, function, depth)
            plain = inner is not None and inner.kind in (Kind.NUMBER, Kind.INTEGER, Kind.UNKNOWN)
            return inner.inverted if inner is not None and plain else None
        if isinstance(value.op, ast.Mult):
            factor = right if right is not None else left
            inner = self.read(value.left if right is not None else value.right, function, depth)
            if inner is None or factor is None or inner.kind is Kind.ADDITIVE:
                return None
            if factor <= HIDING:
                return replace(inner, kind=Kind.ADDITIVE, value=factor)
        return None

    def _called(self, call: ast.Call, function: Function, depth: int) -> Mask | None:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        name = name or (call.func.id if isinstance(call.func, ast.Name) else "")
        callee = callee_of(self.project, function, call)
        if callee is not None:
            returned = callee.returned
            return self.read(returned[0], callee, depth) if len(returned) == 1 else None
        base = operand(call, function)
        if name in TRIANGLES:
            return self._triangle(name, base, call, function, depth)
        if name == "generate_square_subsequent_mask":
            return Mask(Kind.ADDITIVE, Region(False, 1), call, function, float("-inf"))
        if name in ("masked_fill", "masked_fill_"):
            return self._filled(base, call, function, depth)
        if name == "where":
            return self._chosen(call, function, depth)
        inner = None if base is None else self.read(base, function, depth)
        if inner is None:
            return None
        if name in SHAPING:
            return inner
        if name in CASTS:
            return cast(inner, Kind[CASTS[name]])
        if name in ("logical_not", "bitwise_not", "logical_not_"):
            return replace(inner.inverted, kind=Kind.BOOL)
        if name in ("eq", "ne", "gt", "lt", "ge", "le") and call.args:
            given = call.args[-1]
            operators = {"eq": ast.Eq(), "ne": ast.NotEq(), "gt": ast.Gt(), "lt": ast.Lt()}
            return compared(inner, operators.get(name, ast.GtE()), number_of(given, function))
        if name in ("to", "type", "type_as", "astype"):
            return cast(inner, cast_kind(name, call, inner.kind, function))
        return None

    def _triangle(
        self, name: str, base: ast.expr | None, call: ast.Call, function: Function, depth: int
    ) -> Mask | None:
        offset = diagonal_of(call, function)
        filled = None if base is None else self._table(base, function, depth)
        if filled is None or offset is None or filled.region is not None:
            return None
        square = is_square(base, function) if base is not None else False
        region = Region(name.startswith("tril"), offset, square)
        return replace(filled, region=region, border=call, drawn_in=function)

    def _table(self, value: ast.expr, function: Function, depth: int) -> Mask | None:
        """A table that holds the same everywhere."""
        if isinstance(value, ast.Name):
            bound = bound_to(value, function)
            return (
                None
                if bound is None or depth > DEEPEST
                else self._table(bound, function, depth + 1)
            )
        if not isinstance(value, ast.Call):
            return None
        name = called_name(value)
        base = operand(value, function)
        if name in FULL:
            return full_table(name, value, function)
        inner = (
            self._table(base, function, depth + 1) if base is not None and depth < DEEPEST else None
        )
        if inner is None:
            return None
        if name in CASTS:
            return cast(inner, Kind[CASTS[name]])
        if name in ("to", "type", "type_as", "astype"):
            return cast(inner, cast_kind(name, value, inner.kind, function))
        return inner if name in SHAPING else None

    def _filled(
        self, base: ast.expr | None, call: ast.Call, function: Function, depth: int
    ) -> Mask | None:
        """`zeros.masked_fill(m, -inf)`, and `.masked_fill(rest, 0)` behind it."""
        given = filled_with(call, function)
        if base is None or given is None:
            return None
        where, value = self.read(given[0], function, depth), number_of(given[1], function)
        if where is None or value is None or where.region is None:
            return None
        if value <= HIDING:
            if not self._is_flat(base, function, depth):
                return None
            return replace(where, kind=Kind.ADDITIVE, value=value)
        inner = self.read(base, function, depth)
        if inner is None or value != 0.0 or inner.kind is not Kind.ADDITIVE:
            return None
        return inner if inner.region == where.region.rest else None

    def _is_flat(self, base: ast.expr, function: Function, depth: int) -> bool:
        """Whether a tensor holds zeros, ones or another mask, and no scores."""
        if isinstance(base, ast.Name):
            bound = bound_to(base, function)
            return (
                bound is not None and depth < DEEPEST and self._is_flat(bound, function, depth + 1)
            )
        if isinstance(base, ast.Call) and called_name(base) in ZEROS | FULL:
            return True
        return self.read(base, function, depth) is not None

    def _chosen(self, call: ast.Call, function: Function, depth: int) -> Mask | None:
        """`torch.where(m, 0, -inf)`."""
        if len(call.args) != 3:
            return None
        where = self.read(call.args[0], function, depth)
        first, second = (number_of(one, function) for one in call.args[1:])
        if where is None or first is None or second is None:
            return None
        if first <= HIDING and second == 0.0:
            return replace(where, kind=Kind.ADDITIVE, value=first)
        if second <= HIDING and first == 0.0:
            return replace(where.inverted, kind=Kind.ADDITIVE, value=second)
        return None


def filled_with(call: ast.Call, function: Function) -> tuple[ast.expr, ast.expr] | None:
    """The mask and the value of a masked_fill."""
    given = [one for one in call.args if one is not operand(call, function)]
    named = {one.arg: one.value for one in call.keywords}
    mask = given[0] if given else named.get("mask")
    value = given[1] if len(given) > 1 else named.get("value")
    return None if mask is None or value is None else (mask, value)


def _is_whole(place: ast.expr) -> bool:
    """Whether an index leaves a dimension, or makes a new one."""
    if isinstance(place, ast.Slice):
        return True
    return isinstance(place, ast.Constant) and (place.value is None or place.value is Ellipsis)


def _uneven(places: list[ast.expr]) -> bool:
    ends = [text_of(one.upper) for one in places if isinstance(one, ast.Slice) and one.upper]
    return len(ends) > 1 and ends[-1] != ends[-2]


def _compares_tensors(value: ast.Compare) -> bool:
    """Whether a comparison is that of token ids with one id, and gives a tensor."""
    if not isinstance(value.ops[0], ast.Eq | ast.NotEq) or not isinstance(value.left, ast.Name):
        return False
    name = value.left.id
    return bool(TOKENS.search(name)) and not isinstance(value.comparators[0], ast.Tuple)
