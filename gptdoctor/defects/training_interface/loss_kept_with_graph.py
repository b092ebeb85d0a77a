"""GD621: losses are added up over a training loop together with the graphs they came from."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import own_nodes
from gptdoctor.source.flow_targets import Role, end, start, text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.training_events import Event, Kind
from gptdoctor.source.training_loops import Stretch, loops_around, training_of

CODE = "GD621"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    for stretch, backward in training_of(visit.project, visit.module).at(node, Kind.BACKWARD):
        loop = next(loops_around(stretch, backward), None)
        loss = None if backward.again else _loss(backward)  # kept on purpose, for a second pass
        if loop is None or loop.loop is None or loss is None or backward.frame is not stretch.frame:
            continue
        for place, keeper in _kept(loop.loop, loss, stretch):
            yield Suspicion(
                rule=CODE,
                location=visit.module.location(place),
                symbol=visit.symbol,
                message=(
                    f"`{text_of(place)}` keeps the graph of every turn's `{loss.id}` alive in "
                    f"`{keeper}`: `{loss.id}.item()` or `.detach()` would do"
                ),
                extent=(place.lineno, place.end_lineno or place.lineno),
            )


def _loss(backward: Event) -> ast.Name | None:
    """The name of the loss: of `loss.backward()`, `(loss / n).backward()`, and the scaled ones."""
    call = backward.node
    if not isinstance(call, ast.Call):
        return None
    value: ast.expr = call.args[0] if call.args else call.func
    while not isinstance(value, ast.Name):
        if isinstance(value, ast.Attribute):
            value = value.value
        elif isinstance(value, ast.BinOp):
            value = value.left
        elif isinstance(value, ast.Call) and value.args:
            value = value.args[0]  # scaler.scale(loss)
        else:
            return None
    return value


def _kept(
    loop: ast.For | ast.AsyncFor | ast.While, loss: ast.Name, stretch: Stretch
) -> Iterator[tuple[ast.stmt, str]]:
    """The statements of a loop that add the loss itself to what was there before the loop."""
    frame = stretch.frame
    trained = " ".join(one.subject for one in stretch.of(Kind.BACKWARD))
    for node in own_nodes(loop):
        given, keeper = _added(node)
        if given is None or keeper is None or not isinstance(node, ast.stmt):
            continue
        name = text_of(keeper)
        same = given.id == loss.id and _bindings(given, frame) == _bindings(loss, frame)
        if not same or name in trained or not _from_before(keeper, loop, frame):
            continue
        if not _without_graph(node, loop) and f"{loss.id}.detach_(" not in text_of(loop):
            yield node, name


def _added(node: ast.AST) -> tuple[ast.Name | None, ast.expr | None]:
    """`total += loss`, `total = total + loss`, `losses.append(loss)`: the loss and its keeper."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        return _plain(node.value), node.target
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp):
        sides = node.value
        target = node.targets[0]
        if isinstance(sides.op, ast.Add) and text_of(sides.left) == text_of(target):
            return _plain(sides.right), target
    call = node.value if isinstance(node, ast.Expr) else None
    func = call.func if isinstance(call, ast.Call) else None
    if isinstance(call, ast.Call) and isinstance(func, ast.Attribute) and func.attr == "append":
        return (_plain(call.args[0]) if call.args else None), func.value
    return None, None


def _plain(value: ast.expr) -> ast.Name | None:
    """The loss in `loss`, `loss * n` and `loss / n`."""
    while isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult | ast.Div):
        value = value.left
    return value if isinstance(value, ast.Name) else None


def _bindings(name: ast.Name, frame: Frame) -> list[Binding]:
    return frame.bindings.reaching(name.id, start(name))


def _from_before(keeper: ast.expr, loop: ast.stmt, frame: Frame) -> bool:
    """Whether the keeper starts as 0 or as an empty list before the loop, and no turn renews it."""
    if not isinstance(keeper, ast.Name):
        return False
    known = [one for one in frame.bound(keeper.id)[1] if one.role is Role.WHOLE]
    begin, stop = start(loop), end(loop)
    fresh = [one for one in known if one.since < begin and _is_empty(one.value)]
    inside = [one for one in known if begin <= one.since <= stop and _is_empty(one.value)]
    return bool(fresh) and not inside


def _is_empty(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Constant):
        return value.value in (0, 0.0)
    return isinstance(value, ast.List) and not value.elts


def _without_graph(node: ast.stmt, loop: ast.stmt) -> bool:
    """Whether the statement stands in a `with torch.no_grad()`."""
    return any(
        isinstance(one, ast.With)
        and start(one) <= start(node) <= end(one)
        and any("no_grad" in text_of(item) or "inference" in text_of(item) for item in one.items)
        for one in own_nodes(loop)
    )


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
        "`loss.item()`, or `loss.detach()` where a wait for the device costs too much. Not meant: "
        "sums on which `backward` is called; sums made without gradients."
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
