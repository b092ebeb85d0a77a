"""GD628: a function that evaluates makes graphs that nothing uses."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, Named, Visit
from gptdoctor.source.flow_calls import callers
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes
from gptdoctor.source.flow_targets import end, start, text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.gradient_modes import is_off
from gptdoctor.source.names import called_name
from gptdoctor.source.training_events import source_of

CODE = "GD628"
NAMES = (
    "evaluate",
    "validate",
    "validation",
    "evaluation",
    "eval_epoch",
    "evaluate_model",
    "test",
    "estimate_loss",
    "validate_epoch",
    "val_epoch",
    "valid_epoch",
    "test_epoch",
    "run_eval",
    "run_validation",
    "eval_loop",
    "validate_model",
    "eval_model",
    "validate_one_epoch",
    "evaluate_loss",
    "compute_accuracy",
    "eval_one_epoch",
    "_evaluate",
    "_validate",
    "valid",
)
# A function with these words makes gradients, or says that it makes none.
GRADIENTS = re.compile(r"backward|grad\b|no_grad|inference|grad_enabled|\.step\(|requires_grad")
# What these open has nothing to do with gradients.
NO_MODE = re.compile(r"autocast|tqdm|open\(|progress|profil|record_function|alive_bar")
MODEL_NAME = re.compile(r"^(self\.)?(model|net|network|classifier|encoder)$")


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.FunctionDef):
        return
    function = functions_of(visit.project, visit.module).get(node)
    if function is None or node.decorator_list or GRADIENTS.search(source_of(function)):
        return
    call = _evaluated(node)
    if call is None or _switched_off_outside(function, visit):
        return
    yield Suspicion(
        rule=CODE,
        location=visit.module.location(call),
        symbol=function.symbol,
        message=(
            f"`{text_of(call)}` makes a graph that `{node.name}` never uses: nothing switches "
            "gradients off"
        ),
        extent=(node.lineno, node.end_lineno or node.lineno),
    )


def _evaluated(function: ast.FunctionDef) -> ast.Call | None:
    """The call of a model in a loop that only adds up numbers of it."""
    given = {one.arg for one in [*function.args.args, *function.args.kwonlyargs]}
    for loop in own_nodes(function):
        if not isinstance(loop, ast.For | ast.AsyncFor):
            continue
        if ".item()" not in text_of(loop) and not _fills_numbers(loop, function):
            continue
        for node in own_nodes(loop):
            called = text_of(node.func) if isinstance(node, ast.Call) else ""
            known = called in given or called.startswith("self.")
            if known and MODEL_NAME.match(called) and isinstance(node, ast.Call):
                return None if _in_a_mode(node, function) else node
    return None


def _fills_numbers(loop: ast.For | ast.AsyncFor, function: ast.FunctionDef) -> bool:
    """Whether a loop writes each batch's number into a tensor that was made for them.

    There they do not even let go of their graphs: the tensor holds all of them.
    """
    filled = {
        target.value.id
        for node in own_nodes(loop)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name)
    }
    return any(
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and called_name(node.value) in ("zeros", "empty")
        and any(isinstance(one, ast.Name) and one.id in filled for one in node.targets)
        for node in own_nodes(function)
    )


def _in_a_mode(call: ast.Call, function: ast.FunctionDef) -> bool:
    """Whether a `with` around the call may switch gradients off: `with eval_mode(model):`."""
    return any(
        not NO_MODE.search(text_of(item.context_expr))
        for one in own_nodes(function)
        if isinstance(one, ast.With | ast.AsyncWith) and start(one) <= start(call) <= end(one)
        for item in one.items
    )


def _switched_off_outside(function: Function, visit: Visit) -> bool:
    """Whether a caller in sight, or the whole module, switches gradients off."""
    if "set_grad_enabled(False)" in visit.module.text:
        return True
    return any(
        is_off(site.node, Frame(visit.project, site.function.module, site.function))
        for site in callers(visit.project, function)
    ) or any(
        is_off(node, Frame(visit.project, visit.module, None))
        for node in own_nodes(visit.module.tree)
        if isinstance(node, ast.Call) and text_of(node.func).endswith(function.name)
    )


SICK = """\
import torch
from torch import nn


def evaluate(model, loader):
    model.eval()
    total = 0.0
    for ids, targets in loader:
        logits = model(ids)
        total += nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).item()
    model.train()
    return total / len(loader)
"""

DEFECT = Defect(
    code=CODE,
    name="evaluation-with-gradients",
    severity=Severity.LOW,
    summary="A function that only evaluates runs its model with gradients switched on.",
    explanation=(
        "`model.eval()` changes dropout and batch norm; the graph for a backward pass is made all "
        "the same, unless `torch.no_grad()` or `torch.inference_mode()` is around it. Looked at: "
        "functions named for evaluation that call their model in a loop, add up `.item()`s or fill "
        "a tensor of zeros with their numbers, and never run backward. Not meant: "
        "functions whose callers switch gradients off."
    ),
    harm=(
        "Each batch keeps all its activations until its loss is gone: evaluation takes several "
        "times the memory it needs, and fails at batch sizes that would fit."
    ),
    confirmed_by=(
        "No probe runs a user's evaluation. To see it, print `logits.requires_grad` there: it is "
        "True."
    ),
    sick=SICK,
    healed=SICK.replace("def evaluate", "@torch.no_grad()\ndef evaluate"),
    suspects={Named(ast.FunctionDef, NAMES): _suspect},
    confidence=Confidence.MEDIUM,
)
