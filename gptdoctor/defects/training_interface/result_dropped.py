"""GD619: a tensor operation that gives a new tensor is called, and the new tensor is dropped."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, Visit, statements
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.names import called_name
from gptdoctor.source.tensors import is_tensor

CODE = "GD619"
# Methods that modules have as well, where they work in place: the receiver must be a tensor.
SHARED = frozenset(["to", "cuda", "cpu", "float", "half", "bfloat16", "double", "type"])
# Methods of tensors alone.  What takes time to compute is left out: it may be timed.
OWN = frozenset(
    {
        "masked_fill",
        "masked_scatter",
        "index_fill",
        "unsqueeze",
        "contiguous",
        "requires_grad",
        "detach",
        "view",
        "reshape",
        "permute",
        "transpose",
        "clamp",
        "clip",
        "squeeze",
        "expand",
        "fill_diagonal",
        "swapaxes",
        "flatten",
        "index_copy",
        "index_add",
        "scatter",
        "scatter_add",
        "clamp_min",
        "clamp_max",
        "nan_to_num",
        "long",
        "bool",
        "int",
    }
)
# Methods whose name says of what they are, so that the receiver need not be known.
UNMISTAKEN = frozenset(["masked_fill", "masked_scatter", "index_fill", "unsqueeze"])
FUNCTIONS = re.compile(
    r"^torch\.(clamp|clip|masked_fill|unsqueeze|squeeze|transpose|permute|reshape|flatten|where"
    r"|nan_to_num|detach|swapaxes|movedim|index_fill|masked_scatter)$"
)
NAMES = SHARED | OWN | {"where", "movedim"}
CALLED = NAMES - {"requires_grad"}
# In these a call is made to see whether it fails, or how long it takes.
TRIES = re.compile(r"raises|warns|assert|profile|timer|record|subTest|suppress", re.IGNORECASE)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    value = node.value if isinstance(node, ast.Expr) else None
    if isinstance(value, ast.Attribute):
        if value.attr == "requires_grad" and not _is_tried(visit):
            yield _suspicion(value, visit, f"`{text_of(value)}` is read here and not set")
        return
    if not isinstance(value, ast.Call) or called_name(value) not in CALLED:
        return
    if _is_tried(visit) or _in_a_test(visit):
        return
    if _drops(value, Frame(visit.project, visit.module, visit.flow)):
        yield _suspicion(value, visit, f"`{text_of(value)}` gives a new tensor, which is dropped")


def _suspicion(node: ast.expr, visit: Visit, found: str) -> Suspicion:
    return Suspicion(
        rule=CODE,
        location=visit.module.location(node),
        symbol=visit.symbol,
        message=f"{found}: the statement does nothing",
        extent=(node.lineno, node.end_lineno or node.lineno),
    )


def _drops(call: ast.Call, frame: Frame) -> bool:
    """Whether a call leaves what it is given as it was, and gives a tensor."""
    if any(one.arg in ("out", "inplace") for one in call.keywords):
        return False
    if FUNCTIONS.match(frame.module.names.called(call) or ""):
        return True
    if not isinstance(call.func, ast.Attribute):
        return False
    name, receiver = call.func.attr, call.func.value
    if name in UNMISTAKEN and call.args:
        return frame.module.names.called(call) != f"torch.{name}"
    return name in NAMES and is_tensor(receiver, frame)


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
        "statement of its own such a call does nothing. Not meant: modules, whose `to`, `cuda` and "
        "`half` work in place; batches of libraries that move themselves; calls that are tried or "
        "timed."
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
    suspects={statements(*sorted(NAMES)): _suspect},
    confidence=Confidence.HIGH,
)
