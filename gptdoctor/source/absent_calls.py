"""Calls in a call that is given none of its optional inputs: containers, builtins, helpers."""

from __future__ import annotations

import ast
import re
from abc import ABC, abstractmethod

from gptdoctor.source.absent_values import (
    PRESENT,
    UNKNOWN,
    Kind,
    Origins,
    PathEnd,
    State,
    Value,
    joined,
    number,
    unknown,
)
from gptdoctor.source.literals import written_text
from gptdoctor.source.names import Names

# Functions of torch and numpy that need at least one tensor in the list they are given.
JOINING = frozenset(
    {
        *("cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack"),
        *("column_stack", "row_stack", "pad_sequence"),
    }
)
AVERAGING = frozenset({"numpy.mean", "statistics.mean", "statistics.fmean", "numpy.average"})
GROWING = frozenset({"append", "appendleft", "add", "insert", "extend", "update"})
# Builtins that give the elements of what they are given, and those that change nothing.
COPYING = frozenset({"list", "tuple", "set", "sorted", "reversed", "iter", "copy"})
HARMLESS = frozenset(
    {"print", "isinstance", "type", "str", "repr", "id", "range", "next", "hasattr"}
)
# A function out of sight that is called this is there to complain about what is missing.
GUARDING = re.compile(r"check|valid|verify|ensure|require|assert|raise", re.IGNORECASE)


class Calls(ABC):
    """Evaluates calls."""

    @abstractmethod
    def value(self, node: ast.expr | None, state: State) -> Value:
        """What an expression comes to."""

    @abstractmethod
    def there(self, value: Value) -> Value:
        """The value, which is used as something that is there."""

    @abstractmethod
    def names(self) -> Names:
        """The names of the module whose text is read."""

    @abstractmethod
    def fails_on(self, node: ast.expr, emptied: ast.expr, origins: Origins) -> PathEnd:
        """Report a failure for want of elements."""

    @abstractmethod
    def enter(
        self, call: ast.Call, arguments: list[Value], named: list[Value], state: State
    ) -> Value | None:
        """What a helper of the project returns, or None where none is in sight."""

    def _call(self, node: ast.Call, state: State) -> Value:
        if isinstance(node.func, ast.Attribute):
            receiver = self.there(self.value(node.func.value, state))
            if receiver.kind is Kind.ITEMS:
                return self._method(node, node.func.attr, receiver, state)
            key = written_text(node.args[0]) if len(node.args) == 1 else None
            if receiver.kind is Kind.KEYED and node.func.attr == "get" and key:
                return Value(kind=Kind.ABSENT, origins=(key,))
        arguments = [self.value(one, state) for one in node.args]
        named = [self.value(one.value, state) for one in node.keywords]
        everything = [*arguments, *named]
        qualified = self.names().called(node) or ""
        if qualified in BUILTINS:
            return self._builtin(node, qualified, arguments, named, state)
        if not any(map(_tells, everything)):  # as of most calls
            return UNKNOWN
        self._fail_if_empty(node, qualified, arguments, state)
        entered = self.enter(node, arguments, named, state)
        if entered is not None:
            return entered
        known = qualified.startswith(("torch.", "numpy.", "math.")) or qualified in HARMLESS
        if not known:
            self._escape(qualified, everything, state)
        return unknown(*everything)

    def _fail_if_empty(
        self, node: ast.Call, qualified: str, arguments: list[Value], state: State
    ) -> None:
        """Raise where torch, numpy or reduce is given an empty list."""
        name = qualified.rpartition(".")[2]
        library = qualified.startswith(("torch.", "numpy."))
        position = 0 if (library and name in JOINING) or qualified in AVERAGING else None
        if qualified == "functools.reduce" and len(arguments) == 2:
            position = 1
        if position is not None and len(arguments) > position:
            lacking = state.empty(arguments[position])
            if lacking:
                raise self.fails_on(node, node.args[position], lacking)

    def _escape(self, qualified: str, values: list[Value], state: State) -> None:
        """A function out of sight may fill a list, and may complain about what is missing."""
        told = any(value.origins or state.empty(value) for value in values)
        if told and GUARDING.search(qualified):
            raise PathEnd
        for value in values:
            state.add(value, None)

    def _method(self, node: ast.Call, name: str, receiver: Value, state: State) -> Value:
        arguments = [self.value(one, state) for one in node.args]
        items = state.items(receiver)
        if items is None:
            return UNKNOWN
        if name in GROWING:
            several = name in ("extend", "update")
            more = state.elements(arguments[-1]) if several and arguments else (UNKNOWN,)
            state.add(receiver, more)
            return Value(kind=Kind.ABSENT)
        if name == "pop" and not items.mapping:
            if state.empty(receiver) and isinstance(node.func, ast.Attribute):
                raise self.fails_on(node, node.func.value, state.empty(receiver))
            state.add(receiver, None)
        if name in ("values", "copy"):
            return state.hold(items.elements, items.lacking, mapping=name == "copy")
        if name == "keys":
            return state.hold(state.elements(receiver), items.lacking)
        if name == "items" and items.elements is not None:
            pairs = [state.hold((UNKNOWN, value)) for value in items.elements]
            return state.hold(pairs, items.lacking)
        return UNKNOWN

    def _builtin(
        self, node: ast.Call, name: str, arguments: list[Value], named: list[Value], state: State
    ) -> Value:
        if name in ("max", "min"):
            return self._extreme(node, name, arguments, named, state)
        if name in ("zip", "enumerate"):
            return self._zipped(name, arguments, state)
        if not arguments:
            empty = name in ("list", "tuple", "set", "dict")
            return state.hold((), mapping=name == "dict") if empty and not named else UNKNOWN
        if name in ("filter", "map"):
            return self._mapped(node, name, arguments[-1], state)
        value = self.there(arguments[0]) if name != "bool" else arguments[0]
        elements, items = state.elements(value), state.items(value)
        lacking = items.lacking if items is not None else ()
        if name in COPYING:
            return state.hold(elements, lacking)
        if name == "bool":
            truth = state.truth(value)
            return unknown(value) if truth is None else number(truth, state.why(value))
        return _measured(name, elements, lacking, value, state)

    def _extreme(
        self, node: ast.Call, name: str, values: list[Value], named: list[Value], state: State
    ) -> Value:
        """The builtins max and min: of one list, which must not be empty, or of several numbers."""
        if len(values) == 1:
            lacking = state.empty(values[0])
            if lacking and not named:
                raise self.fails_on(node, node.args[0], lacking)
        elif values and all(value.kind is Kind.NUMBER for value in values):
            pick = max if name == "max" else min
            return number(pick(value.number for value in values), joined(*values))
        return unknown(*values)

    def _zipped(self, name: str, arguments: list[Value], state: State) -> Value:
        known = [state.elements(value) for value in arguments]
        sizes = [len(elements) for elements in known if elements is not None]
        if not sizes:
            return UNKNOWN
        columns = [UNKNOWN] if name == "enumerate" else []
        rows = []
        for index in range(min(sizes)):
            cells = [UNKNOWN if elements is None else elements[index] for elements in known]
            rows.append(state.hold([*columns, *cells]))
        lacking = tuple(why for value in arguments for why in state.empty(value))
        return state.hold(rows, lacking)

    def _mapped(self, node: ast.Call, name: str, source: Value, state: State) -> Value:
        """The builtins filter and map, with None, a lambda or the name of a helper."""
        elements = state.elements(self.there(source))
        if elements is None:
            return state.hold(None)
        if name == "map":
            return state.hold([UNKNOWN for _ in elements], state.empty(source))
        kept: list[Value] | None = []
        lacking = state.empty(source)
        for each in elements:
            verdict = self._verdict(node.args[0], each, state)
            truth = state.truth(verdict)
            if truth is None or kept is None:
                kept = None
            elif truth:
                kept.append(each)
            else:
                lacking = tuple(dict.fromkeys((*lacking, *state.why(verdict))))
        return state.hold(kept, lacking)

    def _verdict(self, test: ast.expr, each: Value, state: State) -> Value:
        """What a filter's function says of one element."""
        if isinstance(test, ast.Constant):
            return each
        inner = state.copy()
        name = "element of the filter"
        if isinstance(test, ast.Lambda) and test.args.args:
            inner.names[test.args.args[0].arg] = each
            return self.value(test.body, inner)
        inner.names[name] = each
        call = ast.Call(func=test, args=[ast.Name(id=name, ctx=ast.Load())], keywords=[])
        return self.value(call, inner)


def _tells(value: Value) -> bool:
    """Whether anything is known of a value but that it is there, or why it is not known."""
    kind = value.kind
    return bool(value.origins) or (kind is not Kind.UNKNOWN and kind is not Kind.PRESENT)


BUILTINS = COPYING - {"copy"} | frozenset(
    {
        *("len", "sum", "any", "all", "bool", "max", "min", "dict"),
        *("zip", "enumerate", "filter", "map"),
    }
)


def _measured(
    name: str, elements: tuple[Value, ...] | None, lacking: Origins, value: Value, state: State
) -> Value:
    """len, sum, any and all of what is known of a container."""
    if elements is None:
        return UNKNOWN
    why = tuple(dict.fromkeys((*lacking, *(name for one in elements for name in state.why(one)))))
    if name == "len":
        return number(len(elements), lacking)
    if name == "sum":
        known = all(one.kind is Kind.NUMBER for one in elements)
        return number(sum(one.number for one in elements), why) if known else UNKNOWN
    truths = [state.truth(one) for one in elements]
    decides = name == "any"
    if decides in truths:
        return number(decides, why)
    if name in ("any", "all") and None not in truths:
        return number(not decides, why)
    return PRESENT if name == "dict" else unknown(value)
