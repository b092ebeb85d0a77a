"""GD629: a checkpoint is unpickled whole, though only its weights are wanted."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.nodes import every_node

CODE = "GD629"
# What a checkpoint of plain weights is used for.
WEIGHT_KEYS = frozenset({"state_dict", "model", "model_state_dict", "weights", "module"})


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call) or visit.module.names.called(node) != "torch.load":
        return
    if not _asks_for_all(node) or not _only_weights(node, visit):
        return
    yield Suspicion(
        rule=CODE,
        location=visit.module.location(node),
        symbol=visit.symbol,
        message=(
            f"`{text_of(node)}` runs whatever code the file holds, though only weights are taken "
            "from it: `weights_only=True` refuses such code"
        ),
        extent=(node.lineno, node.end_lineno or node.lineno),
    )


def _asks_for_all(call: ast.Call) -> bool:
    return any(
        one.arg == "weights_only"
        and isinstance(one.value, ast.Constant)
        and one.value.value is False
        for one in call.keywords
    )


def _only_weights(call: ast.Call, visit: Visit) -> bool:
    """Whether what is loaded goes straight into `load_state_dict`."""
    above: ast.AST = call
    for parent in reversed(visit.parents):
        if isinstance(parent, ast.Call):
            return _loads_weights(parent)
        if isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name):
            return _is_loaded(parent.targets[0].id, visit)
        if not isinstance(parent, ast.Subscript) or not _is_weight_key(parent):
            return False
        above = parent
    return above is not call


def _loads_weights(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "load_state_dict"


def _is_weight_key(value: ast.Subscript) -> bool:
    return isinstance(value.slice, ast.Constant) and value.slice.value in WEIGHT_KEYS


def _is_loaded(name: str, visit: Visit) -> bool:
    """Whether the name is only read to give its weights to `load_state_dict`."""
    frame = Frame(visit.project, visit.module, visit.flow)
    bindings = frame.bindings.by_name.get(name, [])
    if len(bindings) != 1 or bindings[0].role is not Role.WHOLE:
        return False
    body: ast.AST = visit.function or visit.module.tree
    loads = 0
    for node in every_node(body):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            loads += 1
        if isinstance(node, ast.Call) and _loads_weights(node) and node.args:
            given = node.args[0]
            given = given.value if isinstance(given, ast.Subscript) else given
            loads -= isinstance(given, ast.Name) and given.id == name
    return loads == 0


SICK = """\
import torch


def resume(model, path):
    state = torch.load(path, map_location="cpu", weights_only=False)
    model.load_state_dict(state["model"])
"""

DEFECT = Defect(
    code=CODE,
    name="unsafe-load",
    severity=Severity.LOW,
    summary="A checkpoint is unpickled with weights_only=False, though only weights are wanted.",
    explanation=(
        "A checkpoint is a pickle, and a pickle may run any code. Since torch 2.6 `torch.load` "
        "refuses that unless it is told `weights_only=False`; before, it had to be told "
        "`weights_only=True`. Looked at: an explicit False where what is loaded only goes into "
        "`load_state_dict`. Not meant: a call without the argument, which a present torch makes "
        "safe; checkpoints that hold more than tensors and plain values."
    ),
    harm=(
        "Nothing for training; a checkpoint from elsewhere can do on the machine whatever its "
        "author wants."
    ),
    confirmed_by=(
        "No probe loads a user's checkpoints. To see it, load the file with weights_only=True: if "
        "that works, nothing else was needed."
    ),
    sick=SICK,
    healed=SICK.replace("weights_only=False", "weights_only=True"),
    suspects={calls("load"): _suspect},
    confidence=Confidence.HIGH,
)
