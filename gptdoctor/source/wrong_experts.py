"""Loops in which other experts get the rows than those that the rows chose.

The rows are picked by `chosen == number`, and the expert by a constant or by a number beside it.
Where the list may hold more experts than the loop has numbers, the first may be a shared one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.dense_experts import expert_counts, number_texts
from gptdoctor.source.expert_shares import Shares
from gptdoctor.source.flow_experts import ExpertLoop, loop_parts
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_loops import calls_what_is_picked
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.flow_turns import number
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import bound_to


def calls_of_others(project: Project, node: ast.For, function: Function) -> Iterator[ast.Call]:
    """The calls in a loop over experts that give its rows to another one than the loop's."""
    if not calls_what_is_picked(node, function):
        return
    calls = [one for one in own_nodes(node) if isinstance(one, ast.Call) and _picked(one)]
    if len(calls) != 1 or any(isinstance(one, ast.If | ast.Try) for one in _around(calls[0], node)):
        return
    call, picked = calls[0], calls[0].func
    if not isinstance(picked, ast.Subscript):
        return
    parts = tuple(loop_parts(node, function))
    loop = ExpertLoop(node, function, parts, (), picked.value)
    shares = Shares(project, loop)
    if not _is_other(picked.slice, node, shares) or not _has_all(project, loop):
        return
    if _has_own_rows(call, shares) and shares.choices:
        yield call


def _picked(call: ast.Call) -> bool:
    """Whether a call is of one that an index picks from `self.NAME`."""
    return isinstance(call.func, ast.Subscript) and self_attribute(call.func.value) is not None


def _around(call: ast.Call, loop: ast.For) -> Iterator[ast.stmt]:
    """The statements of a loop that hold a call."""
    for node in own_nodes(loop):
        if isinstance(node, ast.stmt) and any(one is call for one in every_node(node)):
            yield node


def _is_other(index: ast.expr, node: ast.For, shares: Shares) -> bool:
    """Whether an index is a constant, or the loop's number and one more or less."""
    if number(index) is not None:
        # Weights of each expert's own beside a part that all of them have are no mistake.
        return not any(_reads_own(one, shares) for one in own_nodes(node))
    if isinstance(index, ast.BinOp) and isinstance(index.op, ast.Mod):
        index = index.left  # the last one's neighbour is the first
    if not isinstance(index, ast.BinOp) or not isinstance(index.op, ast.Add | ast.Sub):
        return False
    sides = (index.left, index.right)
    named = any(isinstance(one, ast.Name) and one.id in shares.counters for one in sides)
    return named and any(number(one) for one in sides)


def _reads_own(node: ast.AST, shares: Shares) -> bool:
    """Whether a node is something of `self` that the loop's number picks, or a loop's expert."""
    if isinstance(node, ast.Subscript) and self_attribute(node.value) is not None:
        names = (one.id for one in every_node(node.slice) if isinstance(one, ast.Name))
        return any(one in shares.loop.names for one in names)
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Name) and called.id in shares.loop.names


def _has_all(project: Project, loop: ExpertLoop) -> bool:
    """Whether the loop has a number for each expert of the list, from 0 on, and no more."""
    own = expert_counts(project, loop, made_only=True)
    for part in loop.parts:
        if part.role is not Role.COUNTER:
            continue
        if self_attribute(part.value) == self_attribute(loop.experts):
            return True  # enumerate(self.experts)
        ranged = part.value if isinstance(part.value, ast.Call) else None
        if ranged is not None and len(ranged.args) == 1:
            return bool(number_texts(project, ranged.args[0], loop.function) & own)
    return False


def _has_own_rows(call: ast.Call, shares: Shares) -> bool:
    """Whether what is given are the rows that chose the pass's expert, and no others."""
    given = call.args[0] if len(call.args) == 1 and not call.keywords else None
    if isinstance(given, ast.Name):
        given = bound_to(given, shares.function)
    if not isinstance(given, ast.Subscript):
        return False
    places = given.slice.elts if isinstance(given.slice, ast.Tuple) else [given.slice]
    return any(shares.is_own(one) for one in places)
