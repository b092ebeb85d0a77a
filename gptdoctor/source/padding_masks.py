"""Whether a mask of padding is True for the tokens that are there, or for the padding.

`ids != pad_id` and `arange(T) < lengths` mark tokens, `ids == pad_id` marks padding; what turns a
mask round, casts it or gives it more dimensions is followed, into helpers as well.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from gptdoctor.source.callees import callee_of
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.given_masks import given_for
from gptdoctor.source.mask_forms import Kind, cast_kind
from gptdoctor.source.mask_tables import operand
from gptdoctor.source.mask_text import CASTS, SHAPING, TOKENS
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.statements import own_statements
from gptdoctor.source.text_values import bound_to, number_of

_PADDING = re.compile(r"pad", re.IGNORECASE)
# How long a text is; up to where it was read or may be written is another matter.
_LENGTHS = re.compile(
    r"^(?!.*(min|max|prompt|prefix|start|past|cache|cur|step)).*(len(gth)?s?$|^n_?tokens$|^sizes$)",
    re.IGNORECASE,
)
# The mask that tokenizers give with the ids: 1 for a token, 0 for padding.
_TOLD = "attention_mask"
_BESIDE = re.compile(r"^(input_?)?(ids|tokens)$|^input_ids$")
_ROWS = re.compile(r"unsqueeze\((dim=)?-1\)|, None\]|unsqueeze\((dim=)?2\)(?!\.unsqueeze)")
_SAME = SHAPING | CASTS.keys() | {"to", "type", "type_as", "repeat_interleave", "logical_or"}
_TURNING = frozenset({"logical_not", "bitwise_not", "logical_not_"})
_OPERATORS: dict[str, type[ast.cmpop]] = {
    "eq": ast.Eq,
    "ne": ast.NotEq,
    "not_equal": ast.NotEq,
    "gt": ast.Gt,
    "lt": ast.Lt,
    "ge": ast.GtE,
    "le": ast.LtE,
}
_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.GtE,
    ast.GtE: ast.LtE,
}
DEEPEST = 10
_WRITTEN = 2  # bindings: a table, and one statement that writes into it


@dataclass(frozen=True, eq=False)
class PaddingReader:
    """Reads the masks of padding of one project."""

    project: Project

    def marks_tokens(self, value: ast.expr, function: Function) -> bool | None:
        """Whether a mask is True for tokens, or for padding; None where it is none of these."""
        return self._marks(value, function, 0, numbers=False)

    def marks_numbers(self, value: ast.expr, function: Function, depth: int = 0) -> bool | None:
        """The same of a mask that may hold ones and zeros: the one of a tokenizer counts."""
        return self._marks(value, function, depth, numbers=True)

    def _marks(
        self, value: ast.expr, function: Function, depth: int, *, numbers: bool
    ) -> bool | None:
        if depth > DEEPEST:
            return None
        depth += 1
        if numbers and _is_told(value, function):
            return True
        if isinstance(value, ast.Name):
            return self._named(value, function, depth, numbers=numbers)
        if isinstance(value, ast.Subscript):
            return self._marks(value.value, function, depth, numbers=numbers)
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Invert | ast.Not):
            return _turned(self._marks(value.operand, function, depth, numbers=False))
        if isinstance(value, ast.BinOp):
            ones = isinstance(value.op, ast.Sub) and number_of(value.left, function) == 1.0
            return _turned(self.marks_numbers(value.right, function, depth)) if ones else None
        if isinstance(value, ast.Compare) and len(value.ops) == 1:
            sides = value.left, value.comparators[0]
            return self._compared(type(value.ops[0]), *sides, function, depth)
        if isinstance(value, ast.Call):
            return self._called(value, function, depth, numbers=numbers)
        return None

    def _named(
        self, name: ast.Name, function: Function, depth: int, *, numbers: bool
    ) -> bool | None:
        """What a name was given here, or by all calls of the function."""
        bound = bound_to(name, function)
        if bound is not None:
            return self._marks(bound, function, depth, numbers=numbers)
        given = given_for(self.project, name, function)
        marks = {self._marks(one, where, depth, numbers=numbers) for one, where in given}
        return marks.pop() if len(marks) == 1 else None

    def is_plain_numbers(self, value: ast.expr, function: Function, depth: int = 0) -> bool:
        """Whether a value holds ones for tokens and zeros for padding, as numbers."""
        if depth > DEEPEST:
            return False
        depth += 1
        if isinstance(value, ast.Name):
            bound = bound_to(value, function)
            given = [(bound, function)] if bound is not None else []
            given = given or list(given_for(self.project, value, function))
            if not given and self._is_filled(value, function, depth):
                return True
            return bool(given) and all(self.is_plain_numbers(*one, depth) for one in given)
        if isinstance(value, ast.Subscript):
            return self.is_plain_numbers(value.value, function, depth)
        made = callee_of(self.project, function, value) if isinstance(value, ast.Call) else None
        if made is not None and len(made.returned) == 1:
            return self.is_plain_numbers(made.returned[0], made, depth)
        base = operand(value, function) if isinstance(value, ast.Call) else None
        if base is None or not isinstance(value, ast.Call):
            return False
        if _is_float_cast(value, function):
            return self.marks_numbers(base, function, depth) is not None
        return called_name(value) in SHAPING and self.is_plain_numbers(base, function, depth)

    def _is_filled(self, name: ast.Name, function: Function, depth: int) -> bool:
        """Whether a name is a table of zeros that ones are written into: `m[ids == pad] = 1.0`."""
        found = function.reaching(name)
        whole = [one.value for one in found if one.role is not Role.CHANGED]
        kinds = {called_name(one) for one in whole}
        typed = any(one.arg == "dtype" for call in whole for one in getattr(call, "keywords", ()))
        if len(found) != _WRITTEN or typed or not kinds <= {"zeros", "ones"}:
            return False
        writes = [
            one.targets[0]
            for one in own_statements(function.node)
            if isinstance(one, ast.Assign) and number_of(one.value, function) in (0.0, 1.0)
        ]
        return any(
            isinstance(one, ast.Subscript)
            and isinstance(one.value, ast.Name)
            and one.value.id == name.id
            and self._marks(one.slice, function, depth, numbers=False) is not None
            for one in writes
        )

    def _called(
        self, call: ast.Call, function: Function, depth: int, *, numbers: bool
    ) -> bool | None:
        name, base = called_name(call), operand(call, function)
        callee = callee_of(self.project, function, call)
        if callee is not None:
            marks = {self._marks(one, callee, depth, numbers=numbers) for one in callee.returned}
            return marks.pop() if len(marks) == 1 else None
        if base is None:
            return None
        if name in _TURNING:
            return _turned(self.marks_numbers(base, function, depth))
        if name in _OPERATORS:
            given = [one for one in call.args if one is not base]
            operator = _OPERATORS[name]
            return self._compared(operator, base, given[0], function, depth) if given else None
        if name not in _SAME or (not numbers and _is_float_cast(call, function)):
            return None
        whole = name in CASTS or "bool" in text_of(call)
        return self._marks(base, function, depth, numbers=numbers or whole)

    def _compared(
        self,
        operator: type[ast.cmpop],
        left: ast.expr,
        right: ast.expr,
        function: Function,
        depth: int,
    ) -> bool | None:
        if _is_range(left, function) and _is_lengths(right, function):
            return _below(operator)
        if _is_lengths(left, function) and _is_range(right, function):
            return _below(_TURNED.get(operator, operator))
        if operator in (ast.Eq, ast.NotEq) and _is_padding(left, right, function):
            return operator is ast.NotEq
        inner, against = self.marks_numbers(left, function, depth), number_of(right, function)
        if isinstance(right, ast.Constant) and isinstance(right.value, bool):
            against = float(right.value)
        if inner is None or against not in (0.0, 0.5, 1.0):
            return None
        zero = against == 0.0
        same = {ast.Eq: not zero, ast.NotEq: zero, ast.Gt: True, ast.GtE: True}.get(operator, False)
        return inner if same else not inner


def _is_float_cast(call: ast.Call, function: Function) -> bool:
    """`m.float()`, `m.to(x.dtype)`, `m.to(torch.float32)`, `m.type_as(x)`."""
    name = called_name(call)
    if name not in ("to", "type", "type_as"):
        return CASTS.get(name) == "NUMBER"
    return cast_kind(name, call, Kind.UNKNOWN, function) is Kind.NUMBER


def is_over_rows(value: ast.expr) -> bool:
    """Whether a mask of padding lies along the positions that look, `m.unsqueeze(-1)`."""
    return _ROWS.search(text_of(value)) is not None


def _turned(marks: bool | None) -> bool | None:
    return None if marks is None else not marks


def _below(operator: type[ast.cmpop]) -> bool | None:
    """Whether positions below a length are meant."""
    return {ast.Lt: True, ast.LtE: True, ast.Gt: False, ast.GtE: False}.get(operator)


def _is_told(value: ast.expr, function: Function) -> bool:
    """Whether a value is the mask of a tokenizer: beside the ids, or in their dictionary."""
    while isinstance(value, ast.Subscript) and not isinstance(value.slice, ast.Constant):
        value = value.value
    if isinstance(value, ast.Subscript):
        return isinstance(value.slice, ast.Constant) and value.slice.value == _TOLD
    if not isinstance(value, ast.Name) or value.id != _TOLD:
        return False
    bound = function.reaching(value)
    beside = any(_BESIDE.match(one) for one in function.parameter_names)
    return beside and [one.role for one in bound] == [Role.ARGUMENT]


def _is_padding(left: ast.expr, right: ast.expr, function: Function) -> bool:
    """`ids == self.pad_id`, `tokens.eq(PAD)`, `src != 0`."""
    root = left
    while isinstance(root, ast.Subscript | ast.Call | ast.Attribute):
        root = root.func if isinstance(root, ast.Call) else root.value
    if not isinstance(root, ast.Name):
        return False
    if _PADDING.search(text_of(right)) and not isinstance(right, ast.Constant):
        return True
    plain = isinstance(left, ast.Name) and TOKENS.search(left.id) is not None
    return plain and number_of(right, function) == 0.0


def _is_lengths(value: ast.expr, function: Function) -> bool:
    """Whether a value is how long each text is, in any shape."""
    root = value
    while isinstance(root, ast.Subscript | ast.Call | ast.Attribute):
        if isinstance(root, ast.Attribute) and _LENGTHS.search(root.attr):
            return True
        root = root.func if isinstance(root, ast.Call) else root.value
    if not isinstance(root, ast.Name) or root.id == "self":
        return False
    bound = bound_to(root, function)
    if bound is not None and not _LENGTHS.search(root.id):
        return not _is_range(bound, function) and _LENGTHS.search(text_of(bound)) is not None
    return _LENGTHS.search(root.id) is not None and not isinstance(value, ast.Constant)


def _is_range(value: ast.expr, function: Function, depth: int = 0) -> bool:
    """Whether a value is a range of positions, in any shape."""
    for node in every_node(value):
        if isinstance(node, ast.Call) and called_name(node) == "arange":
            return True
        bound = bound_to(node, function) if isinstance(node, ast.Name) and depth < DEEPEST else None
        if bound is not None and _is_range(bound, function, depth + 1):
            return True
    return False
