"""GD625: a loss is given the labels where it wants the scores, or its class is called with data."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.activations import built_at
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, script_of
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.literals import written_text
from gptdoctor.source.loss_calls import losses_at
from gptdoctor.source.text_values import bound_to
from gptdoctor.source.value_ways import keyword, operation

CODE = "GD625"
DEEPEST = 8  # from name to name, and from operation to operation
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
# All of torch's losses: data does not belong into the constructor of any.
ALL_CLASSES = (
    *("CrossEntropyLoss", "NLLLoss", "BCELoss", "BCEWithLogitsLoss", "MSELoss", "L1Loss"),
    *("SmoothL1Loss", "HuberLoss", "KLDivLoss", "PoissonNLLLoss", "SoftMarginLoss"),
    *("MultiLabelSoftMarginLoss", "MultiMarginLoss", "MultiLabelMarginLoss"),
)
# Names under which instances of them are called.
INSTANCES = (
    *("criterion", "crit", "loss_fn", "loss_fct", "loss_func", "lossfn", "loss_f", "loss", "lossf"),
    *("ce_loss", "ce", "bce", "bce_loss", "nll", "loss_function", "objective", "cost"),
)
TARGETS = re.compile(r"label|target|goal|truth|y_true|^ys?$|^tgt|^gt_", re.IGNORECASE)
SCORES = re.compile(r"logit|pred|output|score|prob|y_hat|^outs?$|energ", re.IGNORECASE)
_SWAPPED = "gives the labels first: the loss takes the scores first"
# What is no data: flags of older constructors.
FLAGS = re.compile(r"average|reduc|weight|margin|^None$", re.IGNORECASE)
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
# What a model's scores go through before some losses.
ACTIVATIONS = frozenset({"sigmoid", "softmax", "log_softmax"})
MODELS = re.compile(
    r"^(self|(self\.)?_?(model|net|network|classifier|head|lm|gpt|fc|out|lm_head|clf))$"
)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call):
        return
    called = visit.module.names.called(node) or ""
    home, _, last = called.rpartition(".")
    if home == "torch.nn" and last in ALL_CLASSES:
        yield from _of_constructor(node, visit)
        return
    given = _spread(node, visit)
    first = given[0] if given else keyword(node, "input")
    second = given[1] if len(given) > 1 else keyword(node, "target")
    if first is None or second is None or not TARGETS.search(_name(first)):
        return  # nearly all
    function = visit.flow or script_of(visit.module)
    if _swapped(first, second, function) and _takes_scores_first(node, called, visit):
        yield _suspicion(node, visit, _SWAPPED)


def _spread(call: ast.Call, visit: Visit) -> list[ast.expr]:
    """What a call is given by place, with the items of a pair that it spreads: `loss(*pair)`."""
    starred = call.args[0] if len(call.args) == 1 else None
    if not isinstance(starred, ast.Starred):
        return call.args
    value = starred.value
    if isinstance(value, ast.Name):
        value = bound_to(value, visit.flow or script_of(visit.module)) or value
    return value.elts if isinstance(value, ast.Tuple | ast.List) else call.args


def _of_constructor(node: ast.Call, visit: Visit) -> Iterator[Suspicion]:
    """A constructor that is given data, and the calls of the module that it makes."""
    function = visit.flow or script_of(visit.module)
    if _is_given_data(node, function):
        yield _suspicion(
            node, visit, "gives its data to the constructor of the loss: it takes a second call"
        )
        return
    for loss in losses_at(node, visit.project, function, visit.parents):
        if loss.kind != "kl_div" and _swapped(loss.scores, loss.targets, loss.function):
            yield _suspicion(loss.call, visit, _SWAPPED)


def _suspicion(node: ast.Call, visit: Visit, what: str) -> Suspicion:
    return Suspicion(
        rule=CODE,
        location=visit.module.location(node),
        symbol=visit.symbol,
        message=f"`{text_of(node)}` {what}",
        extent=(node.lineno, node.end_lineno or node.lineno),
    )


def _is_given_data(call: ast.Call, function: Function) -> bool:
    """Whether scores and labels stand where a constructor takes a weight and old flags."""
    if {one.arg for one in call.keywords} & {"input", "target"}:
        return True
    plain = ast.Constant | ast.Starred | ast.Compare | ast.BoolOp
    if len(call.args) != 2 or any(isinstance(one, plain) for one in call.args):
        return False
    first, second = call.args
    names = [_name(one) for one in call.args]
    if any(SCORES.search(one) for one in names) and any(TARGETS.search(one) for one in names):
        return True
    if FLAGS.search(text_of(second)) or FLAGS.search(text_of(first)):
        return False
    return SCORES.search(names[0]) is not None or _is_of_model(first, function)


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
        may = _may_keep(call.func, frame)
        home, made = frame, frame.attribute_values(call.func) if may else []
    return bool(made) and all(home.module.names.called(one) in CLASSES for one in made)


def _may_keep(called: ast.expr, frame: Frame) -> bool:
    """Whether the class itself keeps nothing else there: asked before its bases are."""
    name, owner = self_attribute(called), frame.function.owner if frame.function else None
    own = owner.attributes.get(name, []) if name and owner else []
    return all(frame.module.names.called(one) in CLASSES for one in own)


def _swapped(first: ast.expr, second: ast.expr, function: Function) -> bool:
    """Whether the labels come first, by their names, and the scores second, by what they are.

    Neither may say the opposite as well.
    """
    label, score = _name(first), _name(second)
    labels_first = TARGETS.search(label) and not SCORES.search(label)
    if not labels_first or _is_of_model(first, function):
        return False
    if SCORES.search(score):
        return not TARGETS.search(score)
    return _is_of_model(second, function)


def _is_of_model(value: ast.expr, function: Function, depth: int = 0) -> bool:
    """Whether a value is what a model gives, reshaped or activated: `model(x)`, or a name of it."""
    if depth > DEEPEST:
        return False
    if isinstance(value, ast.Name):
        bindings = function.reaching(value)
        return bool(bindings) and all(
            one.role is Role.WHOLE
            and one.value is not None
            and _is_of_model(one.value, function, depth + 1)
            for one in bindings
        )
    if isinstance(value, ast.Subscript):
        return _is_of_model(value.value, function, depth + 1)
    if isinstance(value, ast.Attribute):
        return value.attr in (*SHAPING, "logits") and _is_of_model(value.value, function, depth + 1)
    if not isinstance(value, ast.Call):
        return False
    if MODELS.match(text_of(value.func)) or _is_layer(value.func, function):
        return True
    made = operation(value, function)
    through = made is not None and made[0] in SHAPING | ACTIVATIONS
    return through and made is not None and _is_of_model(made[1], function, depth + 1)


def _is_layer(called: ast.expr, function: Function) -> bool:
    """Whether what is called is a layer of torch's that the class keeps."""
    built = built_at(called, function) if self_attribute(called) else []
    names = [function.module.names.called(one) or "" for one in built]
    return bool(names) and all(
        one.startswith("torch.nn.") and not one.endswith("Loss") for one in names
    )


def _name(value: ast.expr) -> str:
    """The name that tells what a value is: "logits" of `out.logits[:, :-1].flatten(0, 1)`."""
    while True:
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            method, receiver = value.func.attr, value.func.value
            if method in ACTIVATIONS and value.args and not _is_dimension(value.args[0]):
                value = value.args[0]  # torch.sigmoid(scores)
                continue
            if method not in SHAPING | ACTIVATIONS:
                return ""
            value = receiver
        elif isinstance(value, ast.Attribute) and value.attr in SHAPING:
            value = value.value
        elif isinstance(value, ast.Attribute):
            return value.attr
        elif isinstance(value, ast.Subscript):
            key = written_text(value.slice)
            if key is not None:
                return key
            value = value.value
        else:
            return value.id if isinstance(value, ast.Name) else ""


def _is_dimension(value: ast.expr) -> bool:
    """Whether an argument is a number: `scores.softmax(-1)`."""
    return isinstance(value, ast.Constant | ast.UnaryOp)


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
        "class; the data goes to what it makes. Told by the names of both sides, which must agree, "
        "or by what a model gives in the same function. Not meant: losses that are the same both "
        "ways, divergences whose order is a choice."
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
            *sorted(name.rpartition(".")[2] for name in FUNCTIONS),
            *ALL_CLASSES,
            *INSTANCES,
        ): _suspect
    },
)
