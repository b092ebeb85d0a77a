"""GD626: a training loop keeps each graph for a second backward pass that never comes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_functions import own_nodes
from gptdoctor.source.flow_targets import Role, start, text_of
from gptdoctor.source.training_events import Event, Kind
from gptdoctor.source.training_loops import Stretch, loops_around, training_of

CODE = "GD626"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call) or not _retains(node):
        return
    for stretch, backward in training_of(visit.project, visit.module).at(node, Kind.BACKWARD):
        loop = next(loops_around(stretch, backward), None)
        plain = loop is not None and backward.frame is stretch.frame
        if loop is None or not plain or not _needs_none(loop, backward):
            continue
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(node),
            symbol=visit.symbol,
            message=(
                f"`{text_of(node)}` keeps the graph for a second pass, and the loop makes none: "
                "each turn has a graph of its own"
            ),
            extent=(node.lineno, node.end_lineno or node.lineno),
        )


def _retains(call: ast.Call) -> bool:
    return any(
        one.arg == "retain_graph"
        and isinstance(one.value, ast.Constant)
        and one.value.value is True
        for one in call.keywords
    )


def _needs_none(loop: Stretch, backward: Event) -> bool:
    """Whether the loop's only backward pass goes through a graph that this turn has made."""
    others = loop.of(Kind.FOREIGN, Kind.GRADIENTS)
    if len(loop.of(Kind.BACKWARD)) > 1 or others or not loop.of(Kind.STEP):
        return False
    return _is_made_here(loop, backward) and not _carries(loop)


def _is_made_here(loop: Stretch, backward: Event) -> bool:
    """Whether the loss is computed in the same turn."""
    call, own = backward.node, loop.loop
    func = call.func if isinstance(call, ast.Call) else None
    if own is None or not isinstance(func, ast.Attribute) or not isinstance(func.value, ast.Name):
        return False
    bindings = loop.frame.bindings.reaching(func.value.id, start(func))
    return bool(bindings) and all(
        one.role is Role.WHOLE and one.since >= start(own.body[0]) for one in bindings
    )


def _carries(loop: Stretch) -> bool:
    """Whether a value of the turn before goes into this one, and its graph with it.

    A hidden state that is not detached needs the old graph, and so may what an object keeps.
    """
    own = loop.loop
    if own is None:
        return True
    bindings = loop.frame.bindings
    for node in own_nodes(own):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            return True
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            known = bindings.by_name.get(node.id, [])
            inside = [one for one in known if start(own) <= one.since <= _last(own)]
            before = [one for one in bindings.reaching(node.id, start(node)) if one not in inside]
            if any(one.role is not Role.CHANGED and one.value for one in inside) and before:
                return True
    return False


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
        "graph. Looked at: a loop that steps, with one backward pass, of a loss that the same turn "
        "computes. Not meant: two losses over one graph, penalties on gradients, and a state that "
        "goes from turn to turn, though there `detach()` is mostly what was wanted."
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
    suspects={calls("backward"): _suspect},
    confidence=Confidence.MEDIUM,
)
