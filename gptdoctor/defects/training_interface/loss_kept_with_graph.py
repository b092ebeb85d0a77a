"""GD621: losses are added up over a training loop together with the graphs they came from."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.kept_losses import Losses
from gptdoctor.source.project import Project
from gptdoctor.source.training_events import Event, Kind
from gptdoctor.source.training_loops import Stretch, loops_around, training_of

CODE = "GD621"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    for stretch, backward in training_of(visit.project, visit.module).at(node, Kind.BACKWARD):
        if backward.again:  # kept on purpose, for a second pass
            continue
        losses = _losses(stretch, backward)
        for kept in () if losses is None else losses.kept():
            given = text_of(kept.given)
            function = stretch.frame.function
            if function is not None and _is_callers(kept.keeper, function, visit.project):
                continue
            yield Suspicion(
                rule=CODE,
                location=stretch.frame.module.location(kept.place),
                symbol="" if function is None else function.symbol,
                message=(
                    f"`{text_of(kept.place)}` keeps the graph of every turn's `{given}` alive in "
                    f"`{kept.keeper}`: `{given}.item()` or `.detach()` would do"
                ),
                extent=(kept.place.lineno, kept.place.end_lineno or kept.place.lineno),
            )


def _is_callers(keeper: str, function: Function, project: Project) -> bool:
    """Whether a sum is what a network's forward pass returns: its caller goes backward on it."""
    owner = function.owner
    if function.name != "forward" or owner is None or not project.is_network(owner):
        return False
    return any(text_of(one) == keeper for one in function.returned)


def _losses(stretch: Stretch, backward: Event) -> Losses | None:
    """What goes backward in the loop around a pass, or in the function that is one turn of it."""
    frame = stretch.frame
    if frame.module.tree is not backward.frame.module.tree:
        return None
    loss = _loss(backward)
    own = backward.frame is frame
    within = (one.loop for one in loops_around(stretch, backward))
    loop = next((one for one in within if one is not None and _is_in(one, frame)), None)
    turn = loop or (None if frame.function is None else frame.function.node)
    if turn is None or loss is None:
        return None
    return Losses(
        turn=turn,
        frame=frame,
        names=(loss,) if own else (),
        calls=() if own else _returning(loss, backward),
        trained=" ".join(one.subject for one in stretch.of(Kind.BACKWARD)),
    )


def _is_in(loop: ast.stmt, frame: Frame) -> bool:
    """Whether a loop stands in a frame itself, and not in a helper that it calls."""
    node = frame.module.tree if frame.function is None else frame.function.node
    return any(one is loop for one in own_nodes(node))


def _returning(loss: ast.expr, backward: Event) -> tuple[ast.AST, ...]:
    """The helper of a backward pass, if it is the loss that it returns, with its graph."""
    function = backward.frame.function
    given = [] if function is None else function.returned
    plain = bool(given) and all(text_of(one) == text_of(loss) for one in given)
    return (function.node,) if plain and function is not None else ()


def _loss(backward: Event) -> ast.expr | None:
    """The loss of `loss.backward()`, `(loss / n).backward()`, and the scaled ones.

    A name, or a part of a named result: `output.loss`.
    """
    call = backward.node
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    value = call.args[0] if call.args else call.func.value
    while True:
        if isinstance(value, ast.BinOp):
            value = value.left
        elif isinstance(value, ast.Call) and value.args:
            value = value.args[0]  # scaler.scale(loss)
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            value = value.func.value  # loss.mean()
        else:
            return value if isinstance(value, ast.Name | ast.Attribute | ast.Subscript) else None


SICK = """\
import torch


def train(model, loader):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    total = 0.0
    for batch in loader:
        loss = model(batch).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss
    return total / len(loader)
"""

DEFECT = Defect(
    code=CODE,
    name="loss-kept-with-graph",
    severity=Severity.MEDIUM,
    summary="A training loop adds up its losses for a report and keeps their graphs with them.",
    explanation=(
        "A loss is a tensor with the graph that made it. `total += loss` and `losses.append(loss)` "
        "keep the graphs of all turns, of which the report needs the numbers alone: "
        "`loss.item()`, or `loss.detach()` where a wait for the device costs too much. The keeper "
        "may be a name, an attribute or an entry of a table, and the loss a term of the one that "
        "goes backward, or what a helper returns. Not meant: "
        "sums on which `backward` is called, or that a network's forward pass returns; sums made "
        "without gradients."
    ),
    harm=(
        "Memory grows with every batch; the backward pass has freed the activations, but the "
        "nodes of each graph, and what they hold, stay until the sum is dropped. Long epochs slow "
        "down or end for want of memory."
    ),
    confirmed_by=(
        "No probe runs a user's training loop. To see it, print `total.grad_fn`, which is not "
        "None, or the memory of the process after every hundred batches."
    ),
    sick=SICK,
    healed=SICK.replace("total += loss", "total += loss.item()"),
    suspects={calls("backward", "manual_backward"): _suspect},
)
