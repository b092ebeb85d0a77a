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
from gptdoctor.source.flow_experts import ExpertLoop, loop_parts, resolved
from gptdoctor.source.flow_functions import Function, loads_of, own_nodes
from gptdoctor.source.flow_loops import calls_what_is_picked
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.flow_turns import number
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import bound_to
from gptdoctor.source.value_ways import keyword, operation, shaped_from, ways_of

# The different values of a tensor, and what makes a list of them.
_UNIQUE = frozenset({"unique", "set", "unique_consecutive"})
_LISTED = frozenset({"tolist", "sorted", "list", "cpu", "long"})
_SORTING = frozenset({"sort", "argsort"})
# What counts how many tokens chose each expert.
_COUNTING = frozenset({"bincount", "histc"})
DEEPEST = 5  # from name to name


def unsorted_split(call: ast.Call, function: Function) -> ast.expr | None:
    """What a split by the numbers of tokens cuts, where these are not in the experts' order.

    `torch.split(tokens, counts)` gives the first expert the first tokens, whoever chose it.
    """
    if not any(map(function.text.__contains__, _COUNTING)) or _is_ordered(function):
        return None
    torch = (function.module.names.called(call) or "").startswith("torch.")
    given = list(call.args)
    whole = given.pop(0) if torch and given else getattr(call.func, "value", None)
    sizes = given[0] if given else keyword(call, "split_size_or_sections")
    sizes = sizes or keyword(call, "split_size")
    if not isinstance(whole, ast.expr) or sizes is None or not _is_counted(sizes, function):
        return None
    ways = ways_of(whole, function, shaped_from)
    plain = bool(ways) and all(
        way.argument and not any(isinstance(step, ast.Subscript) for step in way.steps)
        for way in ways
    )
    return whole if plain else None


def _is_ordered(function: Function) -> bool:
    """Whether anything is read in an order that a sort has made; `out[order] = y` only writes."""
    if "sort" not in function.text:
        return False
    orders = {
        name
        for name, known in function.bindings.by_name.items()
        if any(called_name(one.value) in _SORTING for one in known)
    }
    sorts = [one for one in own_nodes(function.node) if "sort" in called_name(one)]
    if not orders or any(called_name(one) not in _SORTING for one in sorts):
        return True  # in place, under no name, or in a way that is not known
    written = {
        inner
        for node in own_nodes(function.node)
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
        for inner in every_node(node.slice)
    }
    loads = (node for name in orders for node in loads_of(function).get(name, ()))
    return any(node not in written for node in loads)


def _is_counted(value: ast.expr, function: Function) -> bool:
    """Whether a value is how many tokens chose each expert."""
    for _ in range(DEEPEST):
        value = resolved(value, function)
        if called_name(value) in _COUNTING:
            return isinstance(value, ast.Call) and _is_choice(value, function)
        if called_name(value) not in ("tolist", "cpu", "long", "int"):
            return False
        func = value.func if isinstance(value, ast.Call) else None
        if not isinstance(func, ast.Attribute):
            return False
        value = func.value
    return False


def _is_choice(count: ast.Call, function: Function) -> bool:
    """Whether what is counted are choices of experts, by the text that made them."""
    made = operation(count, function)
    if made is None or not isinstance(made[1], ast.Name):
        return False
    return any(
        binding.value is not None and called_name(binding.value) in ("max", "argmax", "topk")
        for binding in function.reaching(made[1])
    )


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
    if _counts_chosen(node, picked.slice, call, function):
        yield call
        return
    parts = tuple(loop_parts(node, function))
    loop = ExpertLoop(node, function, parts, (), picked.value)
    shares = Shares(project, loop)
    if not _is_other(picked.slice, node, shares) or not _has_all(project, loop):
        return
    if _has_own_rows(call, shares) and shares.choices:
        yield call


def _counts_chosen(node: ast.For, index: ast.expr, call: ast.Call, function: Function) -> bool:
    """Whether a loop over the experts that were chosen calls them by its count.

    `for i, e in enumerate(chosen.unique())`: where one was not chosen, all after it are others.
    """
    pair = node.target.elts if isinstance(node.target, ast.Tuple) else []
    counted = node.iter if isinstance(node.iter, ast.Call) else None
    if counted is None or called_name(counted) != "enumerate" or len(counted.args) != 1:
        return False
    names = [one.id for one in pair if isinstance(one, ast.Name)]
    if len(names) != 2 or not isinstance(index, ast.Name) or index.id != names[0]:
        return False
    unique = _uniques(resolved(counted.args[0], function), function)
    tests = [
        one
        for one in every_node(node)
        if isinstance(one, ast.Compare) and isinstance(one.ops[0], ast.Eq)
    ]
    return unique is not None and any(
        {text_of(one.left), text_of(one.comparators[0])} == {names[1], text_of(unique)}
        for one in tests
    )


def _uniques(value: ast.expr, function: Function) -> ast.expr | None:
    """The tensor whose different values these are: `ids.unique().tolist()`, `set(ids)`."""
    for _ in range(DEEPEST):
        name = called_name(value)
        if not isinstance(value, ast.Call) or name not in _UNIQUE | _LISTED:
            return None
        if isinstance(value.func, ast.Attribute) and not value.args:
            inner: ast.expr = value.func.value
        elif value.args:
            inner = value.args[0]
        else:
            return None
        if name in _UNIQUE:
            listed = isinstance(inner, ast.Call) and called_name(inner) in _LISTED
            called = inner.func if listed and isinstance(inner, ast.Call) else None
            return called.value if isinstance(called, ast.Attribute) else inner
        value = resolved(inner, function)
    return None


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
