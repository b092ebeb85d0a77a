"""GD626: a training loop keeps each graph for a second backward pass that never comes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_functions import own_nodes
from gptdoctor.source.flow_targets import Role, start, text_of
from gptdoctor.source.graphless import DATA
from gptdoctor.source.names import called_name
from gptdoctor.source.spread_options import keywords_of
from gptdoctor.source.training_events import Event, Kind
from gptdoctor.source.training_loops import Stretch, loops_around, training_of
from gptdoctor.source.value_ways import keyword

CODE = "GD626"
# What a function may return of a loss, and none of its graph with it.
NUMBERS = re.compile(r"\.item\(|detach\(|^\w*loss$|^None$|^float\(")


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call) or not _retains(node, visit):
        return
    for stretch, backward in training_of(visit.project, visit.module).at(node, Kind.BACKWARD):
        turn = next(loops_around(stretch, backward), None)
        if turn is None and stretch.frame.function is not None:
            turn = stretch  # a step by itself, of which others make a loop
        if turn is None or backward.frame is not stretch.frame or not _needs_none(turn, backward):
            continue
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(node),
            symbol=visit.symbol,
            message=(
                f"`{text_of(node)}` keeps the graph for a second pass, and "
                f"{'the step' if turn.loop is None else 'the loop'} makes none: each turn has a "
                "graph of its own"
            ),
            extent=(node.lineno, node.end_lineno or node.lineno),
        )


def _retains(call: ast.Call, visit: Visit) -> bool:
    """Whether a call says `retain_graph=True`: by name, or second, behind the gradients.

    Or in a table of options, which may be the object's own.
    """
    given = keyword(call, "retain_graph")
    if any(one.arg is None for one in call.keywords):
        named = keywords_of(call, visit.scope)
        given = None if named is None else named.get("retain_graph")
    if given is None and len(call.args) > 1 and called_name(call) == "backward":
        given = call.args[1]
    return isinstance(given, ast.Constant) and given.value is True


def _needs_none(turn: Stretch, backward: Event) -> bool:
    """Whether the turn's only backward pass goes through a graph that this turn has made."""
    others = turn.of(Kind.FOREIGN, Kind.GRADIENTS)
    if len(turn.of(Kind.BACKWARD)) > 1 or others or not turn.of(Kind.STEP):
        return False
    closed = turn.loop is not None or _is_closed(turn)
    return closed and _is_made_here(turn, backward) and not _carries(turn)


def _is_closed(step: Stretch) -> bool:
    """Whether no graph comes into a function or leaves it: a caller may need it once more."""
    function = step.frame.function
    if function is None:
        return False
    given = {one for one in function.parameter_names if not DATA.search(one)}
    parts = {
        id(part)
        for node in own_nodes(function.node)
        if isinstance(node, ast.Call | ast.Attribute)
        for part in (node.func if isinstance(node, ast.Call) else node.value,)
    }  # of `model(x)` and `optimizer.step()`: objects, no tensors
    plain = all(
        id(node) in parts
        for node in own_nodes(function.node)
        if isinstance(node, ast.Name) and node.id in given
    )
    return plain and all(NUMBERS.search(text_of(one)) for one in function.returned)


def _is_made_here(turn: Stretch, backward: Event) -> bool:
    """Whether the loss is computed in the same turn."""
    loss = _loss(backward)
    while isinstance(loss, ast.BinOp | ast.Attribute) or (
        isinstance(loss, ast.Call) and isinstance(loss.func, ast.Attribute) and not loss.args
    ):  # (loss / n), loss.mean(), output.loss
        if isinstance(loss, ast.Call):
            loss = loss.func
        loss = loss.left if isinstance(loss, ast.BinOp) else getattr(loss, "value", None)
    if isinstance(loss, ast.Call):
        return True
    if not isinstance(loss, ast.Name):
        return False
    own = turn.loop
    body = turn.frame.body if own is None else own.body
    bindings = turn.frame.bindings.reaching(loss.id, start(loss))
    whole = [one for one in bindings if one.role is not Role.CHANGED]
    return bool(whole) and all(
        one.role in (Role.WHOLE, Role.ITEM) and one.since >= start(body[0]) for one in whole
    )


def _loss(backward: Event) -> ast.expr | None:
    """What a backward pass begins with: before the dot, scaled or not, or given by itself."""
    call = backward.node
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    if backward.wrapped or text_of(call.func).endswith("autograd.backward"):
        return call.args[0] if call.args else None
    value = call.func.value
    if isinstance(value, ast.Call) and called_name(value) == "scale" and value.args:
        return value.args[0]
    return value


def _carries(turn: Stretch) -> bool:
    """Whether a value of the turn before goes into this one, and its graph with it.

    A hidden state that is not detached needs the old graph, and so may what an object keeps.
    """
    function = turn.frame.function
    own = turn.loop or (None if function is None else function.node)
    if own is None:
        return True
    bindings = turn.frame.bindings
    for node in own_nodes(own):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            return True
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if _is_detached(node, own):
                continue
            known = bindings.by_name.get(node.id, [])
            inside = [one for one in known if start(own) <= one.since <= _last(own)]
            before = [one for one in bindings.reaching(node.id, start(node)) if one not in inside]
            if any(one.role is not Role.CHANGED and one.value for one in inside) and before:
                return True
    return False


def _is_detached(state: ast.Name, turn: ast.AST) -> bool:
    """Whether a state is cut off its graph in every turn: `h = h.detach()`."""
    body = getattr(turn, "body", [])
    return any(
        isinstance(one, ast.Assign)
        and re.search(r"\.detach\(", text_of(one.value)) is not None
        and text_of(one.targets[0]) == state.id
        and re.search(rf"\b{state.id}\b", text_of(one.value)) is not None
        for one in body
    )


def _last(loop: ast.stmt) -> tuple[int, int]:
    return (loop.end_lineno or 0, loop.end_col_offset or 0)


SICK = """\
import torch
from torch import nn


def train(model, batches):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for ids, targets in batches:
        loss = nn.functional.cross_entropy(model(ids).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward(retain_graph=True)
        optimizer.step()
"""

DEFECT = Defect(
    code=CODE,
    name="graph-retained",
    severity=Severity.LOW,
    summary="A loop with one backward pass a turn keeps each graph as if for a second one.",
    explanation=(
        "`retain_graph=True` keeps the activations for another backward pass through the same "
        "graph. Looked at: a loop that steps, or a function that is one step, with one backward "
        "pass, of a loss that the same turn computes. Not meant: two losses over one graph, "
        "penalties on gradients, and a state that goes from turn to turn, though there "
        "`detach()` is mostly what was wanted."
    ),
    harm=(
        "The activations of a turn stay in memory while the next one runs, up to twice the memory; "
        "and where it hides the error 'backward through the graph a second time', a state that "
        "should have been detached makes each turn slower than the last."
    ),
    confirmed_by=(
        "No probe runs a user's training loop. To see it, leave the argument out: if nothing "
        "fails, nothing needed it."
    ),
    sick=SICK,
    healed=SICK.replace("retain_graph=True", ""),
    suspects={calls("backward", "manual_backward"): _suspect},
    confidence=Confidence.MEDIUM,
)
