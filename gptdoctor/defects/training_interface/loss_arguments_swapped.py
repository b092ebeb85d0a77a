"""GD625: a loss is given the labels where it wants the scores, or its class is called with data."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.frames import Frame

CODE = "GD625"
FUNCTIONS = frozenset(
    f"torch.nn.functional.{name}"
    for name in (
        "cross_entropy",
        "nll_loss",
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
    )
)
CLASSES = frozenset(
    f"torch.nn.{name}" for name in ("CrossEntropyLoss", "NLLLoss", "BCELoss", "BCEWithLogitsLoss")
)
# Of these both sides are alike, but data does not belong into their constructors either.
SYMMETRIC = frozenset({"torch.nn.MSELoss", "torch.nn.L1Loss", "torch.nn.SmoothL1Loss"})
# Names under which instances of them are called.
INSTANCES = ("criterion", "loss_fn", "loss_fct", "loss_func", "ce_loss", "ce", "loss_function")
TARGETS = re.compile(r"label|target|goal|truth|y_true|^ys?$|^tgt|^gt_", re.IGNORECASE)
SCORES = re.compile(r"logit|pred|output|score|prob|y_hat|^outs?$|energ", re.IGNORECASE)
# What only reshapes a value, or picks a part of it.
SHAPING = frozenset(
    {
        "view",
        "reshape",
        "flatten",
        "transpose",
        "permute",
        "contiguous",
        "float",
        "long",
        "squeeze",
        "unsqueeze",
        "to",
        "mT",
        "T",
        "cuda",
        "detach",
    }
)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call):
        return
    called = visit.module.names.called(node) or ""
    if called in CLASSES | SYMMETRIC:
        if _is_given_data(node):
            yield _suspicion(
                node, visit, "gives its data to the constructor of the loss: it takes a second call"
            )
    elif _swapped(node) and _takes_scores_first(node, called, visit):
        yield _suspicion(node, visit, "gives the labels first: the loss takes the scores first")


def _suspicion(node: ast.Call, visit: Visit, what: str) -> Suspicion:
    return Suspicion(
        rule=CODE,
        location=visit.module.location(node),
        symbol=visit.symbol,
        message=f"`{text_of(node)}` {what}",
        extent=(node.lineno, node.end_lineno or node.lineno),
    )


def _is_given_data(call: ast.Call) -> bool:
    """Whether scores and labels stand where a constructor takes a weight and old flags."""
    if len(call.args) != 2 or any(isinstance(one, ast.Constant | ast.Starred) for one in call.args):
        return False
    names = [_name(one) for one in call.args]
    return any(SCORES.search(one) for one in names) and any(TARGETS.search(one) for one in names)


def _takes_scores_first(call: ast.Call, called: str, visit: Visit) -> bool:
    """Whether a call is one of the losses, as a function or an instance made in sight."""
    if called in FUNCTIONS:
        return True
    frame = Frame(visit.project, visit.module, visit.flow)
    if isinstance(call.func, ast.Name):
        home, bindings = frame.bound(call.func.id)
        made = [one.value for one in bindings if one.role is Role.WHOLE and one.value]
        made = made if len(made) == len(bindings) else []
    else:
        home, made = frame, frame.attribute_values(call.func)
    return bool(made) and all(home.module.names.called(one) in CLASSES for one in made)


def _swapped(call: ast.Call) -> bool:
    """Whether the names say so of both sides, and neither says the opposite as well."""
    if len(call.args) < 2:
        return False
    first, second = (_name(one) for one in call.args[:2])
    labels_first = TARGETS.search(first) and not SCORES.search(first)
    scores_second = SCORES.search(second) and not TARGETS.search(second)
    return bool(labels_first and scores_second)


def _name(value: ast.expr) -> str:
    """The name that tells what a value is: "logits" of `out.logits[:, :-1].flatten(0, 1)`."""
    while True:
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            if value.func.attr not in SHAPING:
                return ""
            value = value.func.value
        elif isinstance(value, ast.Attribute) and value.attr in SHAPING:
            value = value.value
        elif isinstance(value, ast.Attribute):
            return value.attr
        elif isinstance(value, ast.Subscript):
            if isinstance(value.slice, ast.Constant) and isinstance(value.slice.value, str):
                return value.slice.value
            value = value.value
        else:
            return value.id if isinstance(value, ast.Name) else ""


SICK = """\
import torch.nn.functional as F


def loss_of(model, ids, labels):
    logits = model(ids)
    return F.cross_entropy(labels.view(-1), logits.view(-1, logits.size(-1)))
"""

DEFECT = Defect(
    code=CODE,
    name="loss-arguments-swapped",
    severity=Severity.HIGH,
    summary="A loss is given the labels first, or its constructor is given the data.",
    explanation=(
        "`cross_entropy(scores, labels)` and its like take the scores first, then what they should "
        "have been. `nn.CrossEntropyLoss(scores, labels)` makes a loss and takes a weight for each "
        "class; the data goes to what it makes. Told by the names of both sides, which must agree. "
        "Not meant: losses that are the same both ways, divergences whose order is a choice."
    ),
    harm=(
        "Mostly torch refuses the call. Where both sides are floating numbers of one shape it does "
        "not: the gradient then goes to the labels, and the model learns nothing, or the wrong "
        "thing."
    ),
    confirmed_by=(
        "A run of the model's own loss ends in torch's error at this line, told as "
        "crash-at-sane-sizes; elsewhere call the line once with a small batch."
    ),
    sick=SICK,
    healed=SICK.replace(
        "labels.view(-1), logits.view(-1, logits.size(-1))",
        "logits.view(-1, logits.size(-1)), labels.view(-1)",
    ),
    suspects={
        calls(
            *sorted(name.rpartition(".")[2] for name in FUNCTIONS | CLASSES | SYMMETRIC),
            *INSTANCES,
        ): _suspect
    },
)
