"""GD619: a tensor operation that gives a new tensor is called, and the new tensor is dropped."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, Visit
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.copying_calls import CALLED, is_copying, is_idle_layer
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.names import called_name

CODE = "GD619"
# In these a call is made to see whether it fails, or how long it takes.
TRIES = re.compile(r"raises|warns|assert|profile|timer|record|subTest|suppress", re.IGNORECASE)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    value = node.value if isinstance(node, ast.Expr) else None
    if isinstance(value, ast.Attribute):
        if value.attr == "requires_grad" and not _is_tried(visit):
            yield _suspicion(value, visit, f"`{text_of(value)}` is read here and not set")
        return
    if not isinstance(value, ast.Call):
        return
    layer = _is_of_class(self_attribute(value.func), visit)
    if called_name(value) not in CALLED and not layer:
        return  # as nearly all
    if _is_tried(visit) or _in_a_test(visit):
        return
    frame, inside = Frame(visit.project, visit.module, visit.flow), _in_network(visit)
    idle = layer and inside and is_idle_layer(value, frame)
    if idle or is_copying(value, frame, in_network=inside):
        yield _suspicion(value, visit, f"`{text_of(value)}` gives a new tensor, which is dropped")


def _is_of_class(name: str | None, visit: Visit) -> bool:
    """Whether `self.NAME` is an attribute of the class; constructors run no layer."""
    function = visit.function if name is not None else None
    if function is None or function.name == "__init__" or visit.owner is None:
        return False
    return name in visit.owner.attributes


def _in_network(visit: Visit) -> bool:
    """Whether a statement is of a network's own method, where nothing is timed."""
    method = visit.flow is not None and visit.flow.method and visit.owner is not None
    return method and visit.owner is not None and visit.project.is_network(visit.owner)


def _suspicion(node: ast.expr, visit: Visit, found: str) -> Suspicion:
    return Suspicion(
        rule=CODE,
        location=visit.module.location(node),
        symbol=visit.symbol,
        message=f"{found}: the statement does nothing",
        extent=(node.lineno, node.end_lineno or node.lineno),
    )


def _is_tried(visit: Visit) -> bool:
    """Whether a statement is there to see whether it fails, or how long it takes."""
    items = [
        text_of(item.context_expr)
        for parent in visit.parents
        if isinstance(parent, ast.With | ast.AsyncWith)
        for item in parent.items
    ]
    tried = any(isinstance(parent, ast.Try | ast.Lambda) for parent in visit.parents)
    return tried or any(TRIES.search(item) for item in items)


def _in_a_test(visit: Visit) -> bool:
    return visit.symbol.rpartition(".")[2].startswith(("test_", "bench"))


SICK = """\
import torch


def train(model, loader, device):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for images, labels in loader:
        images.to(device)
        labels = labels.to(device)
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

DEFECT = Defect(
    code=CODE,
    name="result-dropped",
    severity=Severity.MEDIUM,
    summary="A tensor operation that works on a copy is called as a statement; its result is lost.",
    explanation=(
        "Methods of tensors work on a copy, unless their name ends in `_`: `x.to(device)`, "
        "`x.masked_fill(mask, value)`, `x.clamp(0)`, `x.detach()` leave `x` as it was. As a "
        "statement of its own such a call does nothing; in a network's methods the same goes for "
        "torch's functions and for layers without a state, `F.relu(x)` and `self.dropout(x)`. "
        "Not meant: modules, whose `to`, `cuda` and "
        "`half` work in place; batches of libraries that move themselves; calls that are tried or "
        "timed, or told to work in place."
    ),
    harm=(
        "What the line was written for does not happen: the tensor stays on the wrong device or "
        "attached, the mask is not applied, the value is not limited."
    ),
    confirmed_by=(
        "No probe looks at a statement by itself. To see it, delete the line: nothing changes. A "
        "mask that was never applied shows in a run as future-leak or padding-leak."
    ),
    sick=SICK,
    healed=SICK.replace("        images.to(device)", "        images = images.to(device)"),
    # Statements, and not the calls of these names: a hundred of them stand in other statements for
    # each that is one by itself.
    suspects={ast.Expr: _suspect},
    confidence=Confidence.HIGH,
)
