"""A router's scores that are softened along one dimension, and of which another is chosen from.

Scores of a linear layer have the experts in their last dimension.  A softmax along an earlier one,
whose results a top-k takes along the last, shares each expert out over the tokens.
"""

from __future__ import annotations

import ast
import re

from gptdoctor.source.attention_ranks import least_rank
from gptdoctor.source.attention_text import layer_of, softmax_operand
from gptdoctor.source.choice_dimension import choice_dimension
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_calls import callers
from gptdoctor.source.flow_functions import Function, loads_of, own_nodes
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.flow_turns import number
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.softmax_dimension import softmax_dimension
from gptdoctor.source.text_values import bound_to
from gptdoctor.source.value_ways import operation

SAME = frozenset({"float", "to", "type_as", "type", "clone", "contiguous", "half", "bfloat16"})
CHOOSING = frozenset({"topk", "argmax", "max"})
# Averages of tokens are given to experts: each share is of a token, by design.
MIXING = re.compile(r"einsum|matmul|bmm|@|sinkhorn|baddbmm|tensordot", re.IGNORECASE)
ROUTER = re.compile(r"expert|rout|gat(e|ing)|dispatch", re.IGNORECASE)
DEEPEST = 8


def softened_over_tokens(project: Project, call: ast.Call, function: Function) -> ast.Call | None:
    """The choice that takes what a softmax over tokens has made for shares of experts."""
    along = softmax_dimension(call, project, function)
    if along is None or along == -1 or MIXING.search(function.text):
        return None
    choice = _choice_of(call, function)
    if choice is None:
        return None
    chosen = _dimension(choice, function)
    read = _read_by_router(softmax_operand(call, function), project, function)
    if read is None or chosen is None or _softened_twice(call, function):
        return None
    rank = least_rank(project, read, function) or _rank_given(project, read, function)
    rank = rank or _rank_joined(read, function)
    if along == "none":
        return choice if rank == 3 and chosen in (-1, 2) else None  # torch takes dimension 0
    if not isinstance(along, int):
        return None
    if along < 0:
        return choice if chosen == -1 else None
    last = max(rank - 1, chosen)
    return choice if along < last and chosen in (-1, last) else None


def _rank_given(project: Project, read: ast.expr, function: Function) -> int:
    """How many dimensions a parameter has by what all callers give for it, or 0."""
    parameter = isinstance(read, ast.Name) and read.id in function.parameter_names
    if not parameter or not isinstance(read, ast.Name):
        return 0
    bound = function.bindings.by_name.get(read.id, [])
    if len(bound) != 1:
        return 0
    ranks = []
    for site in callers(project, function):
        given = site.argument(function, read.id)
        if given is None:
            return 0
        ranks.append(least_rank(project, given, site.function))
    return min(ranks, default=0)


def _rank_joined(read: ast.expr, function: Function) -> int:
    """What has been flattened to rows of features, which a linear layer takes, has two: or 0."""
    joined = _plain(read, function)
    made = None if joined is None else operation(joined, function)
    if made is None or made[0] != "flatten" or not isinstance(joined, ast.Call):
        return 0
    torch = (function.module.names.called(joined) or "").startswith("torch.")
    given = joined.args[1:] if torch else joined.args
    return 2 if [number(one) for one in given] in ([0, 1], [0, -2]) else 0


def _choice_of(call: ast.Call, function: Function) -> ast.Call | None:
    """The top-k or argmax that is asked of a softmax's result itself, if one is."""
    for node in own_nodes(function.node):
        if isinstance(node, ast.Call) and called_name(node) in CHOOSING:
            if called_name(node) == "max" and choice_dimension(node, function) is None:
                continue  # the greatest of all
            made = operation(node, function)
            if made is not None and _plain(made[1], function) is call:
                return node
    return None


def _plain(value: ast.expr | None, function: Function) -> ast.expr | None:
    """What a value is in the same form: names and types are looked through."""
    for _ in range(DEEPEST):
        if isinstance(value, ast.Name):
            value = bound_to(value, function)
            continue
        made = None if value is None else operation(value, function)
        if made is None or made[0] not in SAME:
            break
        value = made[1]
    return value


def _dimension(choice: ast.Call, function: Function) -> int | None:
    """The dimension of a choice: -1 where a top-k has none, None where it is not known."""
    found = choice_dimension(choice, function)
    if found is None:
        return -1 if called_name(choice) == "topk" else None
    return number(found)


def _read_by_router(
    scores: ast.expr | None, project: Project, function: Function
) -> ast.expr | None:
    """What the linear layer was given that made the scores, if it is one and chooses experts."""
    for _ in range(DEEPEST):
        scores = _plain(scores, function)
        if not isinstance(scores, ast.BinOp):
            break
        scores = scores.left  # a temperature, noise, a bias
    if not isinstance(scores, ast.Call) or not scores.args:
        return None
    name = self_attribute(scores.func)
    if name is None:
        linear = function.module.names.called(scores) == "torch.nn.functional.linear"
        known = linear and function.owner is not None and "expert" in function.owner.text
    else:
        linear = layer_of(project, function, scores.func) == "torch.nn.Linear"
        owner = function.owner.name if function.owner is not None else ""
        named = ROUTER.search(name) or ROUTER.search(owner)
        known = linear and (named is not None or "expert" in function.text)
    return scores.args[0] if known else None


def _softened_twice(call: ast.Call, function: Function) -> bool:
    """Whether the scores are softened once more, along another dimension, or the result is."""
    scores = softmax_operand(call, function)
    name = scores.id if isinstance(scores, ast.Name) else None
    several = [
        node
        for node in own_nodes(function.node)
        if isinstance(node, ast.Call) and called_name(node) in ("softmax", "log_softmax")
    ]
    if name is not None and len(loads_of(function).get(name, [])) > 1 and len(several) > 1:
        return True
    return any(one is not call and call in every_node(one) for one in several)


def dimension_told(call: ast.Call, project: Project, function: Function) -> str:
    """The dimension of a softmax in words."""
    along = softmax_dimension(call, project, function)
    if along == "none":
        return "names no dimension, and torch takes the first of three"
    return f"runs along dimension {along} of `{text_of(softmax_operand(call, function) or call)}`"
