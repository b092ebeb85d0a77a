"""GD629: a checkpoint is unpickled whole, though only its weights are wanted."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_functions import Function, script_of
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.loaded_weights import only_weights
from gptdoctor.source.names import called_name

CODE = "GD629"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call) or visit.module.names.called(node) != "torch.load":
        return
    function = visit.flow or script_of(visit.module)
    if not _asks_for_all(node, function) or not only_weights(node, function, visit.project):
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


def _asks_for_all(call: ast.Call, function: Function) -> bool:
    """Whether a call says `weights_only=False`, by itself or in a table of options."""
    for one in call.keywords:
        if one.arg == "weights_only":
            return isinstance(one.value, ast.Constant) and one.value.value is False
        if one.arg is None and _has_false(one.value, function):
            return True
    return False


def _has_false(options: ast.expr, function: Function) -> bool:
    """Whether a table of options, as it is written down, holds `weights_only` as False."""
    if isinstance(options, ast.Name):
        bindings = function.reaching(options)
        script = script_of(function.module)
        bindings = bindings or script.bindings.by_name.get(options.id, [])
        made = bindings[0].value if len(bindings) == 1 else None
        return made is not None and not isinstance(made, ast.Name) and _has_false(made, function)
    if isinstance(options, ast.Call) and called_name(options) == "dict":
        pairs: list[tuple[object, ast.expr]] = [(one.arg, one.value) for one in options.keywords]
    elif isinstance(options, ast.Dict):
        keys = [getattr(one, "value", None) for one in options.keys]
        pairs = list(zip(keys, options.values, strict=True))
    else:
        return False
    values = [value for key, value in pairs if key == "weights_only"]
    return any(isinstance(one, ast.Constant) and one.value is False for one in values)


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
        "`weights_only=True`. Looked at: an explicit False, in the call or in its table of "
        "options, where what is loaded only goes into `load_state_dict`, renamed or not, and "
        "nothing else is read but counts of epochs and steps. Not meant: a call without the "
        "argument, which a present torch makes safe; checkpoints that "
        "hold more than tensors and plain values."
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
