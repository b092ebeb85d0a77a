"""Statements that store a value in a buffer in place of what was there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.flow_targets import root_name, text_of
from gptdoctor.source.statements import own_statements

# Where the index and the value stand among the arguments, the buffer left out.
STORING = {
    "index_put": (0, 1),
    "index_copy": (1, 2),
    "scatter": (1, 2),
    "masked_scatter": (0, 1),
}
ADDING = frozenset({"accumulate", "reduce"})  # keywords that make a storing call add


@dataclass(frozen=True, kw_only=True)
class Write:
    """One statement that puts a value into a buffer in place of what was there."""

    statement: ast.stmt
    buffer: str
    index: ast.expr | None  # a mask, row numbers, or a tuple; None: the whole buffer
    value: ast.expr
    method: str = ""  # "index_copy_", "torch.where"; "": an assignment

    @property
    def operation(self) -> str:
        """What writes, for a reader: "out[mask] = ...", "index_copy_", "torch.where"."""
        if self.method or not isinstance(self.statement, ast.Assign):
            return self.method
        return f"{text_of(self.statement.targets[0])} = ..."

    def direct_names(self) -> set[str]:
        """The names that stand as numbers of their own in the index and in what is indexed."""
        roots: list[ast.expr] = [self.index] if self.index else []
        target = self.statement.targets[0] if isinstance(self.statement, ast.Assign) else None
        while isinstance(target, ast.Subscript):
            target = target.value
            if isinstance(target, ast.Subscript):
                roots.append(target.slice)
        nodes = (node for root in roots for node in _outside_tests(root))
        return {node.id for node in nodes if isinstance(node, ast.Name)}


def writes_in(loop: ast.For) -> Iterator[Write]:
    """The storing statements in a loop's body."""
    for node in own_statements(loop):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            yield from _assigned(node, node.targets[0])
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield from _stored(node, node.value, None)


def _assigned(statement: ast.Assign, target: ast.expr) -> Iterator[Write]:
    value = statement.value
    if isinstance(target, ast.Subscript):
        buffer = root_name(target.value)
        if buffer and not isinstance(value, ast.Constant):
            yield Write(statement=statement, buffer=buffer, index=target.slice, value=value)
    elif isinstance(target, ast.Name):
        if isinstance(value, ast.Call):
            yield from _stored(statement, value, target.id)
        if isinstance(value, ast.BinOp | ast.Call):
            yield Write(statement=statement, buffer=target.id, index=None, value=value)


def _stored(statement: ast.stmt, call: ast.Call, target: str | None) -> Iterator[Write]:
    """`out.index_copy_(0, rows, y)`, `out = out.index_copy(...)`, `out = torch.where(...)`."""
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if method == "where" and target:
        yield from _chosen(statement, call, target)
        return
    places = STORING.get(method.rstrip("_"))
    if places is None or any(keyword.arg in ADDING for keyword in call.keywords):
        return
    receiver = root_name(call.func.value) if isinstance(call.func, ast.Attribute) else None
    given = call.args
    if receiver == "torch" and given:
        receiver, given = root_name(given[0]), given[1:]
    # `new = out.scatter(...)` keeps the old buffer: nothing is lost by that alone.
    in_place = method.endswith("_") or target == receiver
    if receiver and in_place and len(given) > places[1] and not _adds(method, given):
        index, value = given[places[0]], given[places[1]]
        yield Write(statement=statement, buffer=receiver, index=index, value=value, method=method)


def _adds(method: str, given: list[ast.expr]) -> bool:
    """index_put_(indices, value, True) accumulates."""
    return method.startswith("index_put") and len(given) > 2


def _chosen(statement: ast.stmt, call: ast.Call, target: str) -> Iterator[Write]:
    """`out = torch.where(mask, y, out)` in its three spellings."""
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    if len(call.args) == 3:
        mask, branches = call.args[0], call.args[1:]
    elif len(call.args) == 2 and receiver is not None:
        mask, branches = call.args[0], [receiver, call.args[1]]
    else:
        return
    kept = [one for one in branches if isinstance(one, ast.Name) and one.id == target]
    taken = [one for one in branches if one not in kept]
    if len(kept) == 1:
        yield Write(
            statement=statement, buffer=target, index=mask, value=taken[0], method="torch.where"
        )


def elements(index: ast.expr) -> list[ast.expr]:
    """The parts of an index: one for each dimension, or the index itself."""
    return list(index.elts) if isinstance(index, ast.Tuple | ast.List) else [index]


def _outside_tests(root: ast.expr) -> Iterator[ast.AST]:
    stack: list[ast.AST] = [root]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.Compare | ast.Call):
            stack.extend(ast.iter_child_nodes(node))
