"""Where a value goes in its function, and whether a gradient could come back from there."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_calls import CallSite
from gptdoctor.source.flow_functions import Function, loads_of, parents_in
from gptdoctor.source.flow_gradients import Gradients
from gptdoctor.source.flow_operations import METADATA, WITHOUT_GRADIENT
from gptdoctor.source.flow_parameters import is_plain
from gptdoctor.source.flow_sources import Origin
from gptdoctor.source.flow_targets import GROWING, Position, Role, end, text_of
from gptdoctor.source.literals import written_text
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node

DEEPEST = 6  # from name to name
# Under these names a model hands out what training goes on with.
RESULT_NAME = re.compile(r"loss|logits|hidden|state|output|embed|features|out$|^['\"]?x['\"]?$")


class Uses:
    """The uses of the values of one function."""

    def __init__(self, function: Function, gradients: Gradients) -> None:
        self.function, self.gradients = function, gradients
        self.parents = parents_in(function)

    def matters(self, value: ast.expr, depth: int = 0) -> bool:
        """Whether a gradient could come back to `value` from where it goes.

        It cannot from a shape, an integer, a `detach`, a condition, a log or a table of metrics.
        A comparison counts: only a run tells whether the compared value acts in another way too.
        """
        node: ast.AST = value
        mixed = False
        while True:
            parent = self.parents.get(node)
            if parent is None:
                return True
            if self._ends(parent, node):
                return False
            if isinstance(parent, ast.stmt):
                return self._statement(parent, node, value, depth, mixed=mixed)
            mixed = mixed or isinstance(parent, ast.Compare) or self._mixed(parent, node)
            node = parent

    def _mixed(self, parent: ast.AST, node: ast.AST) -> bool:
        """Whether an operation joins the value with one that carries gradient."""
        if isinstance(parent, ast.BinOp):
            others = [parent.left, parent.right]
        elif isinstance(parent, ast.Call) and not self._ends(parent, node):
            others = [*parent.args, *(keyword.value for keyword in parent.keywords), parent.func]
        else:
            return False
        given = (one for one in others if not any(inner is node for inner in every_node(one)))
        brought = (one for value in given for one in self.gradients.of(value, self.function))
        return any(one.origin is not Origin.FROZEN for one in brought)

    def _ends(self, parent: ast.AST, node: ast.AST) -> bool:
        """Whether no gradient comes through an expression: a shape, an index, a plain number."""
        if isinstance(parent, ast.Attribute):
            called = self.parents.get(parent)
            method = isinstance(called, ast.Call) and called.func is parent
            pattern = WITHOUT_GRADIENT if method else METADATA
            return pattern.match(parent.attr) is not None
        if isinstance(parent, ast.Subscript):
            return node is parent.slice
        if not isinstance(parent, ast.Call) or node is parent.func:
            return False
        name = getattr(parent.func, "attr", None) or getattr(parent.func, "id", None) or ""
        if WITHOUT_GRADIENT.match(name) or name in ("print", "len", "str", "float"):
            return True
        return self._in_vain(parent, node)

    def _in_vain(self, call: ast.Call, node: ast.AST) -> bool:
        """Whether a call runs a function that makes a choice of the value, or asks its size."""
        callee = self.gradients.callee(call, self.function)
        if callee is None or callee.name == "forward" or not callee.returned:
            return False
        site = CallSite(self.function, call, False)
        taken = [name for name in callee.parameter_names if site.argument(callee, name) is node]
        through = {one.name for one in self.gradients.returned(callee)}
        return bool(taken) and through.isdisjoint(taken) and not is_plain(callee, taken[0])

    def _statement(
        self, statement: ast.stmt, part: ast.AST, value: ast.expr, depth: int, *, mixed: bool
    ) -> bool:
        if isinstance(statement, ast.If | ast.While | ast.Assert | ast.Raise | ast.Delete):
            return False
        if isinstance(statement, ast.Expr):
            return _changes_receiver(statement.value)
        if mixed:
            return True  # what it is mixed with brings a gradient here
        if isinstance(statement, ast.Return):
            return not _beside_others(statement, value)
        if isinstance(statement, ast.Assign) and part is statement.value:
            return self._assigned(statement, depth)
        own = isinstance(statement, ast.AugAssign) and self_attribute(statement.target)
        return not own

    def _assigned(self, statement: ast.Assign, depth: int) -> bool:
        """Whether what a value is assigned to goes on to where a gradient could come back from."""
        after = end(statement)
        for target in statement.targets:
            if isinstance(target, ast.Attribute) and target.attr == "data":
                continue  # a weight is set: what it is set to is no part of any graph
            for name in every_node(target):
                if not isinstance(name, ast.Name) or name.id in ("self", "cls"):
                    continue
                if not isinstance(name.ctx, ast.Store):
                    return not _text_key(target)  # out[rows] = value
                if depth > DEEPEST or self.later(name.id, after, depth):
                    return True
        return False

    def hands_out(self, name: ast.Name) -> bool:
        """Whether the value of a name is a result as well, as it is, beside others.

        So is a table that the caller gave: what is put into it is read there.
        """
        bound, read = self.function.reaching(name), loads_of(self.function).get(name.id, ())
        others = [node for node in read if node is not name]
        if any(_is_table(self.parents[one]) for one in others) and self._is_given(name):
            return True
        return any(self._is_result(one) and self.function.reaching(one) == bound for one in others)

    def _is_result(self, node: ast.AST) -> bool:
        """Whether a place is an item of what is returned, or of a table that the caller gave."""
        around = self.parents.get(node)
        if isinstance(around, ast.Assign) and isinstance(around.targets[0], ast.Subscript):
            return self._is_given(around.targets[0].value)  # data["scores"] = scores
        if not isinstance(around, ast.Tuple | ast.Dict | ast.keyword):
            return False
        above = self.parents.get(around)
        if isinstance(above, ast.Call) and called_name(above) == "update":
            return isinstance(above.func, ast.Attribute) and self._is_given(above.func.value)
        if isinstance(above, ast.Call):
            made = called_name(above)
            above = self.parents.get(above) if made[:1].isupper() or made == "dict" else None
        return isinstance(above, ast.Return)

    def _is_given(self, table: ast.expr) -> bool:
        known = self.function.bindings.by_name
        given = known.get(table.id, ()) if isinstance(table, ast.Name) else ()
        return bool(given) and all(one.role in (Role.ARGUMENT, Role.CHANGED) for one in given)

    def later(self, name: str, since: Position, depth: int = 0) -> bool:
        """Whether it matters where a name is read that was bound at `since`."""
        return any(
            self.matters(node, depth + 1)
            for node in loads_of(self.function).get(name, ())
            if any(one.since == since for one in self.function.reaching(node, carried=True))
        )


def _changes_receiver(call: ast.expr) -> bool:
    """`parts.append(x)` and `out.add_(x)`; other calls whose result is dropped are logs."""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return False
    method = call.func.attr
    return method in GROWING or (method.endswith("_") and not method.endswith("__"))


def _beside_others(statement: ast.Return, value: ast.expr) -> bool:
    """Whether a value is handed out as it is beside the result: a metric.

    The first of several values is the result itself; in a table its name tells.
    """
    result = statement.value
    if isinstance(result, ast.Tuple):
        return _holding(result.elts[1:], value)
    if isinstance(result, ast.Dict):
        keys = [text_of(key) if key else "" for key in result.keys]
        return _holding(_metrics(keys, result.values), value)
    if isinstance(result, ast.Call):
        keys = [keyword.arg or "" for keyword in result.keywords]
        return _holding(_metrics(keys, [one.value for one in result.keywords]), value)
    return False


def _metrics(keys: list[str], values: list[ast.expr]) -> list[ast.expr]:
    return [one for key, one in zip(keys, values, strict=True) if not RESULT_NAME.search(key)]


def _holding(items: list[ast.expr], value: ast.expr) -> bool:
    return any(node is value for item in items for node in every_node(item))


def _is_table(around: ast.AST) -> bool:
    """Whether what stands around a name shows that it holds values by names: no tensor does."""
    return _text_key(around) or (isinstance(around, ast.Attribute) and around.attr == "update")


def _text_key(target: ast.AST) -> bool:
    """metrics["entropy"]: a table for a log."""
    return isinstance(target, ast.Subscript) and written_text(target.slice) is not None
