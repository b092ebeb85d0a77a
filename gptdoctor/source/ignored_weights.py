"""Weights of a router that come with its choice of experts, and are never read.

Two functions may have them: the one that asks topk for both, and the one that is given both and
runs the experts.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

from gptdoctor.source.classes import FunctionNode, defaults_of, parameters
from gptdoctor.source.flow_calls import callers
from gptdoctor.source.flow_experts import expert_loop
from gptdoctor.source.flow_functions import Function, loads_of, own_nodes
from gptdoctor.source.flow_targets import end, names_in, root_name, start
from gptdoctor.source.kept import kept
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.statements import own_statements
from gptdoctor.source.value_ways import keyword, operation

WEIGHTS = re.compile(
    r"^(top_?k|routing|router|experts?|gate|gating|selected)_?"
    r"(weights?|scores?|probs?|probabilities|values?)$"
)
CHOICE = re.compile(
    r"^(top_?k|routing|router|experts?|selected|chosen)_?"
    r"(ind|index|indices|inds|ids?|idx|idxs|indexes|experts?)$"
)
ADDING = frozenset({"index_add_", "index_add", "scatter_add_", "scatter_add"})
MULTIPLYING = frozenset({"mul", "mul_", "multiply", "einsum", "matmul", "bmm"})
# What takes the scores of the chosen ones once more: the weights come from there.
TAKING = frozenset({"gather", "take_along_dim", "index_select"})
DEEPEST = 4  # from name to name


@dataclass(frozen=True, eq=False, kw_only=True)
class Ignored:
    """Weights that a function has and does not apply."""

    weights: str
    choice: str
    merge: ast.stmt  # where the experts' results are added up without them


def takes_weights(node: FunctionNode) -> bool:
    """Whether a function is given such weights at all, by its parameters: nearly none is."""
    return any(WEIGHTS.match(one.arg) for one in parameters(node))


def ignored_of_arguments(function: Function, project: Project) -> Ignored | None:
    """Weights that a function that runs experts is given beside their choice."""
    given = [one.arg for one in parameters(function.node)]
    weights = next((one for one in given if WEIGHTS.match(one)), "")
    choice = next((one for one in given if CHOICE.match(one)), "")
    if not weights or not choice or choice not in _read(function) or weights in _read(function):
        return None
    merge = next(_merges(function), None)
    if merge is None or _applied_outside(function, weights, project):
        return None
    return Ignored(weights=weights, choice=choice, merge=merge)


def ignored_of_topk(call: ast.Call, function: Function) -> Ignored | None:
    """Weights that topk gives beside the choice, of more than one expert for each token."""
    pair = _unpacked(call, function)
    if pair is None or not _loops(function) or _is_one(_number(call, function), function):
        return None
    weights, choice = pair
    if weights.startswith("_") or choice not in _read(function) or _reaches(weights, function):
        return None
    merge = next(_merges(function), None)
    if merge is None or _weighted(merge, function):
        return None
    if _scores_go_on(call, function) or _taken_by(choice, function):
        return None
    return Ignored(weights=weights, choice=choice, merge=merge)


def ignored_of_max(call: ast.Call, function: Function) -> Ignored | None:
    """The weight of the one chosen expert that `scores.max(-1)` gives, and nothing multiplies by.

    Whoever asks for it by name means to use it: it is all by which the router could learn.
    """
    pair = _unpacked(call, function)
    along = call.keywords or len(call.args) > (_is_torch(call, function))
    if pair is None or not along or not _loops(function):
        return None
    weights, choice = pair
    if weights.startswith("_") or choice not in _read(function) or _reaches(weights, function):
        return None
    merge = next(_writes(function, choice), None)
    if merge is None or _multiplies(function) or _taken_by(choice, function):
        return None
    return Ignored(weights=weights, choice=choice, merge=merge)


def _writes(function: Function, choice: str) -> Iterator[ast.stmt]:
    """The statements in loops over experts that put results where their tokens are."""
    for loop in own_nodes(function.node):
        if not isinstance(loop, ast.For) or expert_loop(loop, function) is None:
            continue
        if choice not in {node.id for node in every_node(loop) if isinstance(node, ast.Name)}:
            continue
        for node in own_nodes(loop):
            part = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript)
            if isinstance(node, ast.stmt) and (part or _adds(node)):
                yield node


def _multiplies(function: Function) -> bool:
    """Whether a function multiplies anything: what it multiplies with may be the weight."""
    nodes = list(own_nodes(function.node))
    return any(isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mult) for one in nodes) or any(
        isinstance(one, ast.Call) and called_name(one) in MULTIPLYING for one in nodes
    )


def _is_torch(call: ast.Call, function: Function) -> bool:
    return (function.module.names.called(call) or "").startswith("torch.")


def _reaches(name: str, function: Function) -> bool:
    """Whether a name is read for anything but to make its own next value: `w = w / w.sum()`."""
    own = {
        id(node)
        for statement in own_statements(function.node)
        if _remakes(statement, name)
        for node in every_node(statement)
    }
    loads = loads_of(function).get(name, ())
    return any(id(load) not in own for load in loads) or "locals()" in function.text


def _remakes(statement: ast.AST, name: str) -> bool:
    if isinstance(statement, ast.AugAssign):
        target: ast.expr = statement.target
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    else:
        return False
    return isinstance(target, ast.Name) and target.id == name


def is_unread(call: ast.Call, function: Function) -> bool:
    """Whether nothing reads what topk gives, neither the weights nor the choice."""
    for node in own_statements(function.node):
        if isinstance(node, ast.Assign) and node.value is call:
            names = {one.id for target in node.targets for one in names_in(target)}
            meant = any(name.startswith("_") for name in names) or not names
            return not meant and not names & _read(function)
    return False


@kept(64)
def _read(function: Function) -> frozenset[str]:
    """The names that a function reads, in functions inside it too."""
    nodes = (node for node in every_node(function.node) if isinstance(node, ast.Name))
    found = frozenset(node.id for node in nodes if not isinstance(node.ctx, ast.Store))
    return found if "locals" not in found else found | set(function.parameter_names)


def _loops(function: Function) -> bool:
    """Whether a function has a loop by itself; most that choose experts run none."""
    return any(one.__class__ is ast.For for one in own_statements(function.node))


def _merges(function: Function) -> Iterator[ast.stmt]:
    """The statements in loops over experts that add their results to those of others."""
    for loop in own_nodes(function.node):
        if not isinstance(loop, ast.For) or expert_loop(loop, function) is None:
            continue
        yield from (node for node in own_nodes(loop) if _adds(node))


def _adds(node: ast.AST) -> TypeGuard[ast.stmt]:
    if isinstance(node, ast.AugAssign):
        return isinstance(node.op, ast.Add) and not isinstance(node.value, ast.Constant)
    if not isinstance(node, ast.Expr | ast.Assign) or not isinstance(node.value, ast.Call):
        return False
    return called_name(node.value) in ADDING


def _applied_outside(function: Function, weights: str, project: Project) -> bool:
    """Whether a caller reads the weights once more after the call."""
    for site in callers(project, function):
        given = site.argument(function, weights)
        name = root_name(given) if given is not None else None
        after = end(site.node)
        if name is not None and any(
            isinstance(node, ast.Name) and node.id == name and start(node) > after
            for node in own_nodes(site.function.node)
        ):
            return True
    return False


def _unpacked(call: ast.Call, function: Function) -> tuple[str, str] | None:
    """The two names that get what topk gives."""
    for node in own_statements(function.node):
        if isinstance(node, ast.Assign) and node.value is call and len(node.targets) == 1:
            target = node.targets[0]
            names = target.elts if isinstance(target, ast.Tuple) else []
            plain = [one.id for one in names if isinstance(one, ast.Name)]
            return (plain[0], plain[1]) if len(plain) == len(names) == 2 else None
    return None


def _number(call: ast.Call, function: Function) -> ast.expr | None:
    """How many are chosen."""
    whole = (function.module.names.called(call) or "").startswith("torch.")
    place = 1 if whole else 0
    return keyword(call, "k") or (call.args[place] if len(call.args) > place else None)


def _is_one(number: ast.expr | None, function: Function) -> bool:
    """Whether a token has one expert, as written or by default; one needs no weight."""
    if isinstance(number, ast.Constant):
        return number.value == 1
    name = getattr(number, "attr", None) or getattr(number, "id", None)
    made = function.owner.methods.get("__init__") if function.owner else None
    return any(
        isinstance(value, ast.Constant) and value.value == 1
        for node in (function.node, made)
        if node is not None
        for given, value in defaults_of(node.args).items()
        if given == name
    )


def _weighted(merge: ast.stmt, function: Function) -> bool:
    """Whether what is added up has been multiplied with something on its way."""
    queue: list[ast.expr] = [
        one for one in ast.iter_child_nodes(merge) if isinstance(one, ast.expr)
    ]
    for _ in range(DEEPEST):
        nodes = [node for part in queue for node in ast.walk(part)]
        if any(isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mult) for one in nodes):
            return True
        if any(isinstance(one, ast.Call) and called_name(one) in MULTIPLYING for one in nodes):
            return True
        names = [one for one in nodes if isinstance(one, ast.Name)]
        bound = (binding for one in names for binding in function.reaching(one))
        queue = [one.value for one in bound if one.value is not None]
    return False


def _scores_go_on(call: ast.Call, function: Function) -> bool:
    """Whether the scores that topk chose from are read after it, where they may count."""
    value: ast.expr = call
    while (made := operation(value, function)) is not None:
        value = made[1]  # scores.float().softmax(-1).topk(2)
    after = end(call)
    return isinstance(value, ast.Name) and any(
        isinstance(node, ast.Name)
        and node.id == value.id
        and isinstance(node.ctx, ast.Load)
        and start(node) > after
        for node in own_nodes(function.node)
    )


def _taken_by(choice: str, function: Function) -> bool:
    """Whether the choice takes values from somewhere: `scores.gather(1, chosen)`."""
    return any(
        isinstance(node, ast.Call)
        and called_name(node) in TAKING
        and any(one.id == choice for one in names_in(node))
        for node in own_nodes(function.node)
    )
