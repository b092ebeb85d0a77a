"""Expressions in a call that is given none of its optional inputs: what they come to."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod

from gptdoctor.source.absent_calls import Calls
from gptdoctor.source.absent_values import (
    PRESENT,
    UNKNOWN,
    Kind,
    Origins,
    PathEnd,
    State,
    Value,
    joined,
    merged,
    number,
    unknown,
)
from gptdoctor.source.literals import written_text
from gptdoctor.source.names import Names
from gptdoctor.source.nodes import children

Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp
_METHODS = {one: f"_{one.__name__.lower()}" for one in ast.expr.__subclasses__()}


class Expressions(Calls, ABC):
    """Evaluates expressions. Subclasses know the names, enter helpers and take reports."""

    @abstractmethod
    def names(self) -> Names:
        """The names of the module whose text is read."""

    @abstractmethod
    def report(self, node: ast.expr, emptied: ast.expr, origins: Origins) -> None:
        """An operation at `node` fails because `emptied` is empty for lack of `origins`."""

    def value(self, node: ast.expr | None, state: State) -> Value:
        """What an expression comes to; raises PathEnd where it fails."""
        if node is None:
            return UNKNOWN
        method = getattr(self, _METHODS[node.__class__], None)
        if method is not None:
            result: Value = method(node, state)
            return result
        parts = [self.value(one, state) for one in children(node) if isinstance(one, ast.expr)]
        return unknown(*parts)

    def fails_on(self, node: ast.expr, emptied: ast.expr, origins: Origins) -> PathEnd:
        """Report a failure for want of elements; the path ends with it."""
        self.report(node, emptied, origins)
        return PathEnd()

    def _constant(self, node: ast.Constant, state: State) -> Value:
        if node.value is None:
            return Value(kind=Kind.ABSENT)
        if isinstance(node.value, int | float):
            return number(node.value)
        return PRESENT

    def _name(self, node: ast.Name, state: State) -> Value:
        return state.names.get(node.id, UNKNOWN)

    def _namedexpr(self, node: ast.NamedExpr, state: State) -> Value:
        state.names[node.target.id] = self.value(node.value, state)
        return state.names[node.target.id]

    def _lambda(self, node: ast.Lambda, state: State) -> Value:
        return PRESENT

    def _starred(self, node: ast.Starred, state: State) -> Value:
        return self.value(node.value, state)

    def _attribute(self, node: ast.Attribute, state: State) -> Value:
        self.there(self.value(node.value, state))
        return UNKNOWN

    def there(self, value: Value) -> Value:
        """The value, which is used as something that is there."""
        if value.kind is Kind.ABSENT:
            raise PathEnd(needed=value.origins)
        return value

    def _subscript(self, node: ast.Subscript, state: State) -> Value:
        whole = self.there(self.value(node.value, state))
        index = self.value(node.slice, state)
        if isinstance(node.slice, ast.Slice):
            items = state.items(whole)
            return whole if items is not None and items.elements == () else UNKNOWN
        elements = state.elements(whole)
        if state.empty(whole) and index.kind is Kind.NUMBER:
            raise self.fails_on(node, node.value, state.empty(whole))
        if elements and index.kind is Kind.NUMBER and int(index.number) in range(len(elements)):
            return elements[int(index.number)]
        return UNKNOWN

    def _list(self, node: ast.List | ast.Tuple | ast.Set, state: State) -> Value:
        elements: list[Value] | None = []
        lacking: Origins = ()
        for part in node.elts:
            value = self.value(part, state)
            more = state.elements(value) if isinstance(part, ast.Starred) else (value,)
            lacking = (*lacking, *state.empty(value)) if isinstance(part, ast.Starred) else lacking
            elements = None if elements is None or more is None else [*elements, *more]
        return state.hold(elements, lacking)

    _tuple = _set = _list

    def _dict(self, node: ast.Dict, state: State) -> Value:
        values = [self.value(value, state) for value in node.values]
        plain = all(key is not None for key in node.keys)
        return state.hold(values if plain else None, mapping=True)

    def _listcomp(self, node: Comprehension, state: State) -> Value:
        return self._comprehension(node.generators, node.elt, state)

    _setcomp = _generatorexp = _listcomp

    def _dictcomp(self, node: ast.DictComp, state: State) -> Value:
        made = self._comprehension(node.generators, node.value, state)
        items = state.items(made)
        return made if items is None else state.hold(items.elements, items.lacking, mapping=True)

    def _comprehension(
        self, clauses: list[ast.comprehension], element: ast.expr, state: State
    ) -> Value:
        source = self.value(clauses[0].iter, state)
        elements = state.elements(self.there(source))
        if elements is None or len(clauses) > 1:
            return state.hold(None)
        kept: list[Value] | None = []
        lacking = state.empty(source)
        for each in elements:
            inner = state.copy()
            self.bind(clauses[0].target, each, inner)
            passed, origins = self._passes(clauses[0].ifs, inner)
            if passed is None or kept is None:
                kept = None
            elif passed:
                kept.append(self._trial(element, inner))
            else:
                lacking = tuple(dict.fromkeys((*lacking, *origins)))
        return state.hold(kept, lacking)

    def _passes(self, tests: list[ast.expr], state: State) -> tuple[bool | None, Origins]:
        """Whether an element passes all tests, and the inputs for whose absence it does not."""
        passed: bool | None = True
        for test in tests:
            value = self._trial(test, state)
            truth = state.truth(value)
            if truth is False:
                return False, state.why(value)
            passed = passed if truth else None
        return passed, ()

    def _trial(self, node: ast.expr, state: State) -> Value:
        """The value of what may not run: a failure there ends no path for sure."""
        try:
            return self.value(node, state)
        except PathEnd:
            return UNKNOWN

    def bind(self, target: ast.expr, value: Value, state: State) -> None:
        """Give a value to a target of an assignment or a loop."""
        if isinstance(target, ast.Name):
            state.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            elements = state.elements(value)
            fitting = elements is not None and len(elements) == len(target.elts)
            for index, part in enumerate(target.elts):
                self.bind(part, elements[index] if fitting and elements else UNKNOWN, state)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, UNKNOWN, state)
        elif isinstance(target, ast.Subscript):
            state.add(self.value(target.value, state), (value,))

    def _unaryop(self, node: ast.UnaryOp, state: State) -> Value:
        value = self.value(node.operand, state)
        if isinstance(node.op, ast.Not):
            truth = state.truth(value)
            why = state.why(value)
            return unknown(value) if truth is None else number(not truth, why)
        self.there(value)
        negative = isinstance(node.op, ast.USub) and value.kind is Kind.NUMBER
        return number(-value.number, value.origins) if negative else unknown(value)

    def _boolop(self, node: ast.BoolOp, state: State) -> Value:
        decides = isinstance(node.op, ast.Or)  # the truth that ends the evaluation
        sure = True
        seen: list[Value] = []
        for part in node.values:
            value = self.value(part, state) if sure else self._trial(part, state)
            truth = state.truth(value)
            if truth is decides:
                return value if sure else number(decides, state.why(value))
            sure = sure and truth is not None
            seen.append(value)
        if sure:
            why = tuple(dict.fromkeys(name for value in seen for name in state.why(value)))
            last = seen[-1]
            return number(last.number, why) if last.kind is Kind.NUMBER else last
        return unknown(*seen)

    def _ifexp(self, node: ast.IfExp, state: State) -> Value:
        test = self.value(node.test, state)
        truth = state.truth(test)
        if truth is not None:
            return self.value(node.body if truth else node.orelse, state)
        found = {self._trial(branch, state.copy()) for branch in (node.body, node.orelse)}
        only = found.pop()
        return only if not found and only.kind is not Kind.ITEMS else unknown(test)

    def _compare(self, node: ast.Compare, state: State) -> Value:
        left = self.value(node.left, state)
        right = self.value(node.comparators[0], state)
        for other in node.comparators[1:]:
            self.value(other, state)
        if len(node.ops) > 1:
            return unknown(left, right)
        if isinstance(node.ops[0], ast.In | ast.NotIn) and right.kind is Kind.KEYED:
            key = written_text(node.left)
            return number(isinstance(node.ops[0], ast.NotIn), (key,)) if key else UNKNOWN
        known = _compared(left, node.ops[0], right, state)
        why = (*state.why(left), *state.why(right))
        return unknown(left, right) if known is None else number(known, tuple(dict.fromkeys(why)))

    def _binop(self, node: ast.BinOp, state: State) -> Value:
        # The divisor first: for `reduce(add, parts) / len(parts)` the division is the place.
        right = self.value(node.right, state)
        if isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod):
            zero = right.kind is Kind.NUMBER and right.number == 0
            if zero and right.origins:
                raise self.fails_on(node, node.right, right.origins)
        left = self.value(node.left, state)
        if Kind.ABSENT in (left.kind, right.kind):
            raise PathEnd(needed=joined(left, right))
        if isinstance(node.op, ast.Add):
            return self._sum(left, right, state)
        return unknown(left, right)

    def _sum(self, left: Value, right: Value, state: State) -> Value:
        if left.kind is Kind.NUMBER and right.kind is Kind.NUMBER:
            return number(left.number + right.number, joined(left, right))
        if Kind.ITEMS in (left.kind, right.kind):
            first, second = state.elements(left), state.elements(right)
            lacking = (*state.empty(left), *state.empty(right))
            known = first is not None and second is not None
            if not known and (first or second):
                return PRESENT  # not empty, whatever the other holds
            return state.hold((*(first or ()), *(second or ())) if known else None, lacking)
        return unknown(left, right)


def _compared(left: Value, op: ast.cmpop, right: Value, state: State) -> bool | None:
    """The result of a comparison where both sides are known well enough."""
    kinds = {left.kind, right.kind}
    if isinstance(op, ast.Is | ast.IsNot | ast.Eq | ast.NotEq) and Kind.ABSENT in kinds:
        if Kind.UNKNOWN in kinds:
            return None
        same = len(kinds) == 1
        return same if isinstance(op, ast.Is | ast.Eq) else not same
    if kinds == {Kind.NUMBER}:
        return _ordered(left.number, op, right.number)
    if kinds == {Kind.ITEMS} and isinstance(op, ast.Eq | ast.NotEq):
        sizes = [state.elements(side) for side in (left, right)]
        if None not in sizes and () in sizes:
            return (sizes[0] == sizes[1]) == isinstance(op, ast.Eq)
    return None


def _ordered(left: float, op: ast.cmpop, right: float) -> bool | None:
    table = {
        ast.Eq: left == right,
        ast.NotEq: left != right,
        ast.Lt: left < right,
        ast.LtE: left <= right,
        ast.Gt: left > right,
        ast.GtE: left >= right,
    }
    return table.get(type(op))


def meet(states: list[State], into: State) -> bool:
    """Let `into` become the meeting of several paths; whether any arrives."""
    result = merged(states)
    if result is None:
        return False
    into.take(result)
    return True
