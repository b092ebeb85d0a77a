"""GD622: a model gets new weights after its optimizer was made, which does not know them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.nodes import every_node
from gptdoctor.source.statements import bodies_of

CODE = "GD622"
# Layers with weights of their own.
WEIGHTS = re.compile(
    r"^torch\.nn\.(Linear|Bilinear|Conv\w+|Embedding\w*|LayerNorm|RMSNorm|GroupNorm|BatchNorm\w+"
    r"|LSTM|GRU|RNN|MultiheadAttention|Transformer\w*|Parameter|Sequential|ModuleList)$"
)
RESIZES = frozenset(["resize_token_embeddings", "resize_position_embeddings", "add_adapter"])


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    made = _optimizer_of(node, visit)
    if made is None or not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    model = text_of(node.func.value)
    later = list(_after(visit))
    for index, statement in enumerate(later):
        if _makes_optimizer(statement, made, model):
            return
        change = _change(statement, model, visit)
        if change and _goes_on(later[index + 1 :], made, model):
            yield Suspicion(
                rule=CODE,
                location=visit.module.location(statement),
                symbol=visit.symbol,
                message=(
                    f"`{made}` was made in line {node.lineno} from `{text_of(node)}`: it never "
                    f"moves {change}"
                ),
                extent=(statement.lineno, statement.end_lineno or statement.lineno),
            )
            return


def _optimizer_of(node: ast.AST, visit: Visit) -> str | None:
    """The name of the optimizer that is made from `model.parameters()`."""
    if len(visit.parents) < 2:
        return None
    call, statement = visit.parents[-1], visit.parents[-2]
    called = visit.module.names.called(call) or ""
    known = called.startswith("torch.optim.") and "lr_scheduler" not in called
    if not known or not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return None
    target = statement.targets[0]
    return text_of(target) if isinstance(target, ast.Name | ast.Attribute) else None


def _after(visit: Visit) -> Iterator[ast.stmt]:
    """The statements that always follow, up to the end of the function or of a loop's turn."""
    chain = [*visit.parents]
    for parent, child in zip(reversed(chain[:-1]), reversed(chain[1:]), strict=True):
        for body in bodies_of(parent):
            if any(one is child for one in body):
                index = next(i for i, one in enumerate(body) if one is child)
                yield from body[index + 1 :]
        if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.For | ast.While):
            return


def _change(statement: ast.stmt, model: str, visit: Visit) -> str:
    """What a statement adds to the model, in words; "" for nothing."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        func = statement.value.func
        resizes = isinstance(func, ast.Attribute) and func.attr in RESIZES
        if resizes and isinstance(func, ast.Attribute) and text_of(func.value) == model:
            return f"the weights that `{text_of(statement.value)}` puts in their place"
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return ""
    target, called = statement.targets[0], visit.module.names.called(statement.value) or ""
    name = text_of(target)
    if isinstance(target, ast.Attribute | ast.Subscript) and name.startswith(f"{model}."):
        return f"the new weights of `{name}`" if WEIGHTS.match(called) else ""
    if name != model or model in re.findall(r"[\w.]+", text_of(statement.value)):
        return ""
    owner = visit.project.class_named(called, visit.module)
    network = owner is not None and visit.project.is_network(owner)
    return f"the weights of the new `{model}`" if network or WEIGHTS.match(called) else ""


def _makes_optimizer(statement: ast.stmt, optimizer: str, model: str) -> bool:
    """Whether a statement makes the optimizer anew, or tells it of more weights."""
    for node in every_node(statement):
        if isinstance(node, ast.Assign) and optimizer in map(text_of, node.targets):
            return True
        if isinstance(node, ast.Attribute) and node.attr == "add_param_group":
            return True
    return False


def _goes_on(later: list[ast.stmt], optimizer: str, model: str) -> bool:
    """Whether the optimizer is used for this model afterwards, and never made anew."""
    if any(_makes_optimizer(one, optimizer, model) for one in later):
        return False
    text = "\n".join(map(text_of, later))
    again = f"{model}.parameters()" in re.sub(r"clip_grad\w*\([^)]*\)", "", text)
    return not again and re.search(rf"\b{re.escape(optimizer)}\b", text) is not None


SICK = """\
import torch
from torch import nn


def tune(model, loader, classes):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    model.head = nn.Linear(model.width, classes)
    for images, labels in loader:
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

DEFECT = Defect(
    code=CODE,
    name="optimizer-before-change",
    severity=Severity.HIGH,
    summary="A model gets new weights after the optimizer was made from its old ones.",
    explanation=(
        "An optimizer keeps the tensors that `model.parameters()` gave when it was made. A layer "
        "that is put in afterwards, embeddings that are resized, or a model that is built anew "
        "have weights that it never moves. Not meant: an optimizer that is made again or told by "
        "`add_param_group`; layers without weights; wrappers around the same model."
    ),
    harm=(
        "The new layer, mostly the head of the task, stays as it was initialised, while the "
        "optimizer goes on moving weights that nothing uses."
    ),
    confirmed_by=(
        "No probe runs a user's training loop. To see it, compare a weight of the new layer "
        "before and after a step: it is the same, though its gradient is not zero."
    ),
    sick=SICK,
    healed="""\
import torch
from torch import nn


def tune(model, loader, classes):
    model.head = nn.Linear(model.width, classes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    for images, labels in loader:
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""",
    suspects={calls("parameters"): _suspect},
)
