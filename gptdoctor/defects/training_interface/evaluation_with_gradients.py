"""GD628: a function that evaluates makes graphs that nothing uses."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, Named, Visit, calls
from gptdoctor.source.callees import callee_of
from gptdoctor.source.classes import FunctionNode, self_attribute
from gptdoctor.source.compared_results import are_compared
from gptdoctor.source.flow_calls import callers
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes, script_of
from gptdoctor.source.flow_targets import end, start, text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.gradient_modes import is_off
from gptdoctor.source.names import called_name
from gptdoctor.source.statements import bodies_of
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
    *("run_test", "test_loop", "val_loop", "validation_loop", "evaluation_loop", "do_eval"),
    *("validation_epoch", "evaluate_epoch", "val_one_epoch", "valid_one_epoch", "test_one_epoch"),
    *("check_accuracy", "calculate_accuracy", "calc_accuracy", "get_accuracy", "accuracy"),
    *("evaluate_accuracy", "test_model", "eval_fn", "valid_fn", "val_fn", "test_fn"),
    *("perplexity", "compute_perplexity", "validation_loss", "compute_val_loss", "get_val_loss"),
)
# A function with these words makes gradients, or says that it makes none.
GRADIENTS = re.compile(r"backward|grad\b|no_grad|inference|grad_enabled|\.step\(|requires_grad")
TRAINS = re.compile(r"backward\(|\.step\(")
# These switch gradients off somewhere: which lines they mean is not asked.
MODES = re.compile(r"set_grad_enabled|requires_grad_\(False|requires_grad = False")
# What these open has nothing to do with gradients.
NO_MODE = re.compile(r"autocast|tqdm|open\(|progress|profil|record_function|alive_bar")
MODEL_NAME = re.compile(r"^(self\.)?(_?model|net|network|classifier|encoder|lm|gpt|module)$")
# Numbers are taken of results: nothing goes back through them.
NUMBERS = re.compile(r"\.item\(\)|\.tolist\(\)|(?<![\w.])(?:float|int)\(")
CHOICES = re.compile(r"argmax\(|\.max\(|\.topk\(")
# Libraries run these with gradients switched off.
HOOKS = re.compile(r"^on_|_step$|^forward$")
LOOPS = ast.For | ast.AsyncFor | ast.While | ast.ListComp | ast.GeneratorExp | ast.SetComp
DRAWS = re.compile(r"multinomial|Categorical|generate|\bcat\(|append\(int")


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if isinstance(node, ast.FunctionDef):
        yield from _judge(functions_of(visit.project, visit.module)[node], visit)


def _suspect_mode(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """`model.eval()` in a function of any name, which then goes through its data."""
    function = visit.flow or script_of(visit.module)
    if not isinstance(node, ast.Call) or node.args or function.name in NAMES:
        return
    if HOOKS.search(function.name):
        return
    if visit.flow is None or TRAINS.search(function.text):
        yield from _judge_phase(node, function, visit)
    elif not DRAWS.search(function.text):
        yield from _judge(function, visit)


def _judge_phase(mode: ast.Call, function: Function, visit: Visit) -> Iterator[Suspicion]:
    """The loops between `model.eval()` and `model.train()`, where training stands around them."""
    model = text_of(mode.func.value) if isinstance(mode.func, ast.Attribute) else ""
    if MODES.search(function.text) or function.node.decorator_list:
        return
    for loop in _loops_behind(mode, model, visit):
        said = text_of(loop)
        if GRADIENTS.search(said) or DRAWS.search(said) or not _takes_numbers(loop, function):
            continue
        calls = [one for one in own_nodes(loop) if isinstance(one, ast.Call)]
        call = next((one for one in calls if text_of(one.func) == model), None)
        if call is not None and not _in_a_mode(call, function.node):
            yield Suspicion(
                rule=CODE,
                location=visit.module.location(call),
                symbol=function.symbol,
                message=(
                    f"`{text_of(call)}` makes a graph that the loop behind `{text_of(mode)}` never "
                    "uses: nothing switches gradients off"
                ),
                extent=(loop.lineno, loop.end_lineno or loop.lineno),
            )
            return


def _loops_behind(mode: ast.Call, model: str, visit: Visit) -> Iterator[ast.For]:
    """The loops that follow `model.eval()` in its block, until the model is to train."""
    statement = next((one for one in reversed(visit.parents) if isinstance(one, ast.stmt)), None)
    around = [one for one in visit.parents if one is not statement]
    bodies = [body for body in bodies_of(around[-1]) if any(one is statement for one in body)]
    for one in bodies[0] if bodies else []:
        if start(one) <= start(mode):
            continue
        if f"{model}.train()" in text_of(one):
            return
        if isinstance(one, ast.For):
            yield one


def _judge(function: Function, visit: Visit) -> Iterator[Suspicion]:
    node = function.node
    if node.decorator_list or GRADIENTS.search(source_of(function)):
        return
    found = _evaluated(function, visit)
    if found is None or _switched_off_outside(function, visit):
        return
    call, where = found
    yield Suspicion(
        rule=CODE,
        location=where.module.location(call),
        symbol=where.symbol,
        message=(
            f"`{text_of(call)}` makes a graph that `{node.name}` never uses: nothing switches "
            "gradients off"
        ),
        extent=(where.node.lineno, where.node.end_lineno or where.node.lineno),
    )


def _evaluated(function: Function, visit: Visit) -> tuple[ast.Call, Function] | None:
    """The call of a model in a loop that only adds up numbers of it, there or in a helper."""
    for loop in own_nodes(function.node):
        if not isinstance(loop, LOOPS):
            continue
        counts = _takes_numbers(loop, function)
        for node in own_nodes(loop) if counts else ():
            if isinstance(node, ast.Call) and _is_model(node, function):
                return None if _in_a_mode(node, function.node) else (node, function)
        for node in own_nodes(loop):
            helper = (
                callee_of(visit.project, function, node) if isinstance(node, ast.Call) else None
            )
            call = None if helper is None else _measured(helper, visit)
            if call is not None and helper is not None and isinstance(node, ast.Call):
                return None if _in_a_mode(node, function.node) else (call, helper)
    return None


def _takes_numbers(loop: ast.AST, function: Function) -> bool:
    text = text_of(loop)
    if NUMBERS.search(text) or (CHOICES.search(text) and "loss" not in function.text):
        return True
    if isinstance(loop, ast.ListComp):
        return are_compared(loop, function)
    return isinstance(loop, ast.For | ast.AsyncFor) and _fills_numbers(loop, function.node)


def _measured(helper: Function, visit: Visit) -> ast.Call | None:
    """The call of a model in a helper that returns numbers of it, and trains nobody."""
    if helper.module is not visit.module or helper.node.decorator_list:
        return None
    if GRADIENTS.search(helper.text) or not any(
        NUMBERS.search(text_of(one)) for one in helper.returned
    ):
        return None
    for node in own_nodes(helper.node):
        if isinstance(node, ast.Call) and _is_model(node, helper):
            return None if _in_a_mode(node, helper.node) else node
    return None


def _is_model(call: ast.Call, function: Function) -> bool:
    """Whether a call is of a model that a function is given or an object keeps.

    By its name, or because it is put into evaluation mode there.
    """
    called = text_of(call.func)
    own = self_attribute(call.func) is not None
    if not own and called not in function.parameter_names:
        # Of the script's, or made here.
        return isinstance(call.func, ast.Name) and f"{called}.eval()" in function.text
    owner = function.owner if own else None
    text = function.text if owner is None else owner.text
    if own and "requires_grad" in text:
        return False  # what is frozen makes no graph
    if MODEL_NAME.match(called):
        return True
    return f"{called}.eval()" in text or f"{called} = {called.removeprefix('self.')}.eval()" in text


def _fills_numbers(loop: ast.For | ast.AsyncFor, function: FunctionNode) -> bool:
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


def _in_a_mode(call: ast.Call, function: FunctionNode) -> bool:
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
        "functions named for evaluation, or that put a model into evaluation mode, which call it "
        "in a loop, themselves or in a helper, take numbers of its results by `.item()`, compare "
        "them, or fill a tensor of zeros with them, and never run backward. Not meant: functions "
        "whose callers switch gradients off; models without gradients; hooks of libraries, which "
        "do so."
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
    suspects={Named(ast.FunctionDef, NAMES): _suspect, calls("eval"): _suspect_mode},
    confidence=Confidence.MEDIUM,
)
