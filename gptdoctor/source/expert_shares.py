"""What is zero, or False, for all tokens that did not choose the expert of a loop's pass.

`chosen == number`, a column of a table with zeros for who was not chosen, and all that is
multiplied with either.  A sum with anything else is none: straight-through estimators and soft
shares count for every token.
"""

from __future__ import annotations

import ast
from copy import copy

from gptdoctor.source.flow_experts import ExpertLoop
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_gradients import gradients_of
from gptdoctor.source.flow_membership import Choice
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import bound_to
from gptdoctor.source.value_ways import is_lowest, keyword, operation

DEEPEST = 14  # expressions followed from one to the next
# Zero stays zero, whatever else these do.
KEEPING = frozenset(
    {"unsqueeze", "squeeze", "expand", "expand_as", "view", "view_as", "reshape", "flatten", "to"}
    | {"type", "type_as", "float", "half", "bfloat16", "bool", "int", "long", "contiguous", "clone"}
    | {"any", "sum", "amax", "max", "count_nonzero", "nonzero", "clamp", "detach", "permute"}
    | {"transpose", "unbind", "chunk", "split", "cuda", "cpu", "normalize", "div"}
)
MULTIPLYING = frozenset({"mul", "multiply", "logical_and", "mul_"})
ZEROS = frozenset({"zeros", "zeros_like", "new_zeros"})
FULL = frozenset({"full", "full_like", "new_full"})


def is_zero(value: ast.expr | None) -> bool:
    """Whether an expression is a zero that is written down: 0, 0.0 or False."""
    return isinstance(value, ast.Constant) and value.value == 0


class Shares:
    """Asks it of the values of one loop over experts."""

    def __init__(self, project: Project, loop: ExpertLoop) -> None:
        self.loop, self.function = loop, loop.function
        self.gradients = gradients_of(project)
        self._choice = Choice(self.gradients)
        roles = ((one.target, one.role) for one in loop.parts)
        self.counters = frozenset(
            target.id
            for target, role in roles
            if isinstance(target, ast.Name) and role is Role.COUNTER
        )
        # What chose the experts, where something was found to come from a choice.
        self.choices: list[tuple[ast.Call, Function]] = []

    def is_own(self, value: ast.expr, depth: int = 0) -> bool:
        """Whether a value is zero for the tokens that did not choose the pass's expert."""
        if depth > DEEPEST:
            return False
        if isinstance(value, ast.Name):
            return self._named(value, depth + 1)
        if isinstance(value, ast.Compare):
            return self._compared(value, depth + 1)
        if isinstance(value, ast.Call):
            return self._called(value, depth + 1)
        if isinstance(value, ast.Subscript):
            return self._picked(value, depth + 1)
        if isinstance(value, ast.BinOp):
            return self._computed(value, depth + 1)
        return False

    def is_foreign(self, value: ast.expr, depth: int = 0) -> bool:
        """Whether a value is True for exactly those: `~mask`, `chosen != number`."""
        if isinstance(value, ast.Name) and depth < DEEPEST:
            bound = bound_to(value, self.function)
            return bound is not None and self.is_foreign(bound, depth + 1)
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Invert | ast.Not):
            return self.is_own(value.operand)
        if isinstance(value, ast.Compare) and isinstance(value.ops[0], ast.NotEq):
            return self._meets(value.left, value.comparators[0])
        made = operation(value, self.function)
        if made is None:
            return False
        if made[0] == "logical_not":
            return self.is_own(made[1])
        return made[0] in ("unsqueeze", "view", "reshape") and self.is_foreign(made[1], depth + 1)

    def _named(self, name: ast.Name, depth: int) -> bool:
        found = self.function.reaching(name)
        if len(found) != 1 or found[0].value is None:
            return False
        one = found[0]
        if one.role is Role.ELEMENT and name.id in self.loop.names and one.value is not None:
            return self.is_table(one.value, depth)  # zip(self.experts, gates.unbind(-1))
        split = one.role is Role.ITEM and called_name(one.value) in ("where", "nonzero")
        whole = one.role is Role.WHOLE or split
        return whole and one.value is not None and self.is_own(one.value, depth)

    def _compared(self, test: ast.Compare, depth: int) -> bool:
        """`chosen == number`, or a share that is greater than zero."""
        if len(test.ops) != 1:
            return False
        left, right = test.left, test.comparators[0]
        if isinstance(test.ops[0], ast.Eq):
            return self._meets(left, right)
        above = isinstance(test.ops[0], ast.Gt | ast.NotEq) and is_zero(right)
        return above and self.is_own(left, depth)

    def _meets(self, left: ast.expr, right: ast.expr) -> bool:
        """Whether one side is the loop's number and the other the experts that were chosen."""
        for one, other in ((left, right), (right, left)):
            if isinstance(one, ast.Name) and one.id in self.counters:
                return self.is_choice(other)
        return False

    def is_choice(self, indices: ast.expr) -> bool:
        """Whether a tensor holds the numbers of the few experts that a token chose."""
        found = self._choice.call(indices, self.function)
        if found is None or called_name(found[0]) not in ("topk", "argmax", "max"):
            return False
        self.choices.append(found)
        return True

    def _called(self, call: ast.Call, depth: int) -> bool:
        made = operation(call, self.function)
        if made is None:
            return False
        name, base = made
        if name == "eq":
            return bool(call.args) and self._meets(base, call.args[-1])
        if name == "where":
            return self._where(call, depth)
        if name in MULTIPLYING:
            return self.is_own(base, depth) or any(self.is_own(one, depth) for one in call.args)
        if name == "masked_fill":
            places = [*call.args]
            value = keyword(call, "value") or (places.pop() if places else None)
            hidden = keyword(call, "mask") or (places[-1] if places else None)
            return is_zero(value) and hidden is not None and self.is_foreign(hidden)
        return name in KEEPING and self.is_own(base, depth)

    def _where(self, call: ast.Call, depth: int) -> bool:
        """`torch.where(mask)`, which gives row numbers, or with zeros for all others."""
        if len(call.args) == 1:
            return self.is_own(call.args[0], depth)
        other = call.args[-1] if len(call.args) == 3 else None
        zero = is_zero(other) or (isinstance(other, ast.Call) and called_name(other) in ZEROS)
        return zero and self.is_own(call.args[0], depth)

    def _picked(self, value: ast.Subscript, depth: int) -> bool:
        """A column of a table by the loop's number, or a part of what is zero itself."""
        places = value.slice.elts if isinstance(value.slice, ast.Tuple) else [value.slice]
        if any(map(self._is_number, places)):
            return self.is_table(value.value, depth)
        return self.is_own(value.value, depth)

    def _is_number(self, place: ast.expr) -> bool:
        """Whether a place in an index is the loop's number: `e`, or `e : e + 1`."""
        if not isinstance(place, ast.Slice):
            return isinstance(place, ast.Name) and place.id in self.counters
        lower, upper = place.lower, place.upper
        plain = isinstance(lower, ast.Name) and lower.id in self.counters
        one = isinstance(upper, ast.BinOp) and isinstance(upper.op, ast.Add)
        if not plain or lower is None or upper is None or not one:
            return False
        return text_of(upper) in (f"{text_of(lower)} + 1", f"1 + {text_of(lower)}")

    def _returned(self, call: ast.expr, item: int | None, depth: int) -> bool:
        """Whether a function of the project gives back such a table, or one as the item."""
        callee = self.gradients.callee(call, self.function) if isinstance(call, ast.Call) else None
        if callee is None or not callee.returned:
            return False
        there = copy(self)
        there.function = callee
        values: list[ast.expr | None] = list(callee.returned)
        if item is not None:
            values = [
                one.elts[item] if isinstance(one, ast.Tuple) and item < len(one.elts) else None
                for one in callee.returned
            ]
        return all(one is not None and there.is_table(one, depth + 1) for one in values)

    def _computed(self, value: ast.BinOp, depth: int) -> bool:
        sides = [value.left, value.right]
        if isinstance(value.op, ast.Mult | ast.BitAnd):
            return any(self.is_own(one, depth) for one in sides)
        if isinstance(value.op, ast.Add | ast.BitOr):
            return all(self.is_own(one, depth) for one in sides)
        return isinstance(value.op, ast.Div) and self.is_own(value.left, depth)

    def is_table(self, value: ast.expr, depth: int = 0) -> bool:
        """Whether a table of shares is zero wherever a token did not choose an expert."""
        if depth > DEEPEST:
            return False
        if isinstance(value, ast.Name):
            return self._named_table(value, depth + 1)
        if isinstance(value, ast.Subscript):
            return self.is_table(value.value, depth + 1)
        if isinstance(value, ast.BinOp):
            left = self.is_table(value.left, depth + 1)
            if isinstance(value.op, ast.Mult):
                return left or self.is_table(value.right, depth + 1)
            return isinstance(value.op, ast.Div) and left
        made = operation(value, self.function)
        if made is None or not isinstance(value, ast.Call):
            return self._returned(value, None, depth + 1)
        name, base = made
        if name == "one_hot":
            return self.is_choice(base)
        if name in ("scatter", "scatter_"):
            return self._scattered(value, base)
        if name == "softmax":
            return self._hidden(base, depth + 1)
        if name in MULTIPLYING:
            return any(self.is_table(one, depth + 1) for one in (base, *value.args))
        return name in KEEPING and self.is_table(base, depth + 1)

    def _scattered(self, call: ast.Call, base: ast.expr) -> bool:
        """`torch.zeros_like(p).scatter(-1, chosen, weights)`, as a method or a function."""
        if not self._made_by(base, ZEROS):
            return False
        places = call.args[2:] if call.args and call.args[0] is base else call.args[1:]
        index = keyword(call, "index") or next(iter(places), None)
        return index is not None and self.is_choice(index)

    def _made_by(self, value: ast.expr, makers: frozenset[str]) -> bool:
        if isinstance(value, ast.Name):
            found = [one for one in self.function.reaching(value) if one.role is not Role.CHANGED]
            bound = found[0].value if len(found) == 1 else None
            return bound is not None and called_name(bound) in makers
        return called_name(value) in makers

    def _hidden(self, scores: ast.expr, depth: int) -> bool:
        """Scores that are minus infinity but for those that were chosen."""
        if isinstance(scores, ast.Name):
            bound = bound_to(scores, self.function)
            return bound is not None and depth < DEEPEST and self._hidden(bound, depth + 1)
        if not isinstance(scores, ast.Call) or called_name(scores) not in ("scatter", "scatter_"):
            return False
        made = operation(scores, self.function)
        base = None if made is None else made[1]
        if isinstance(base, ast.Name):
            base = bound_to(base, self.function)
        lowest = isinstance(base, ast.Call) and called_name(base) in FULL
        lowest = lowest and isinstance(base, ast.Call) and any(map(is_lowest, base.args))
        places = [one for one in scores.args if one is not base]
        return lowest and len(places) > 1 and self.is_choice(places[1])

    def _named_table(self, name: ast.Name, depth: int) -> bool:
        """A name of such a table; or one of zeros into which a statement scatters the shares."""
        found = self.function.reaching(name)
        first = [one for one in found if one.role is not Role.CHANGED]
        if len(first) != 1 or first[0].value is None:
            return False
        if first[0].role is Role.ITEM and len(found) == 1:  # gates, loss = self.gating(x)
            return self._returned(first[0].value, first[0].index, depth)
        if first[0].role is not Role.WHOLE:
            return False
        if len(found) == 1:
            return self.is_table(first[0].value, depth)
        if called_name(first[0].value) not in ZEROS:
            return False
        changes = [one for one in found if one.role is Role.CHANGED]
        if len({one.since for one in changes}) != 1:
            return False  # something else may be added, as in a straight-through estimator
        return any(one.value is not None and self.is_choice(one.value) for one in changes)
