"""GD620: a method is named where it should be called."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, attributes
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.names import called_name

CODE = "GD620"
# As statements of their own these do nothing without their brackets.
STATEMENTS = (
    *("step", "zero_grad", "backward", "eval", "train", "requires_grad_", "clip_grad_norm_"),
    *("update", "unscale_", "cuda", "empty_cache", "synchronize"),
)
# Of these only what bears a telling name is meant: anything may have an attribute `update`.
OF_NAMED = {"update": re.compile(r"scaler$"), "cuda": re.compile(r"model|net$|^self$|loss|crit")}
# Numbers and tables that are taken of tensors and models.
VALUES = ("item", "tolist", "numpy")
NUMBERED = re.compile(r"loss|(^|_)acc(uracy)?$|correct|metric|perplexity", re.IGNORECASE)
TAKES_NUMBERS = frozenset({"append", "print", "write", "log", "info", "add_scalar", "update"})
KEEPERS = re.compile(
    r"model|net$|network|policy|actor|critic|optim|opt$|sched|encoder|decoder|head$|scaler$"
)
# What a `with` has to be given made.
MODES = frozenset({"torch.no_grad", "torch.enable_grad", "torch.inference_mode"})
OPTIMIZERS = "torch.optim."
MODEL_NAME = re.compile(
    r"(model|net|network|module|policy|actor|critic|encoder|decoder|generator|discriminator|head"
    r"|backbone|trunk|student|transformer|vae|classifier|lm|gpt)$",
    re.IGNORECASE,
)


def _suspect_statement(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(visit.parent, ast.Expr | ast.IfExp):
        return  # nearly all
    if not isinstance(node, ast.Attribute) or not _is_statement(node, visit):
        return
    # In a `try` it asks whether the attribute is there.
    if any(isinstance(parent, ast.Try) for parent in visit.parents) or _is_class(node):
        return
    owner, named = text_of(node.value), OF_NAMED.get(node.attr)
    if owner in visit.module.names.aliases or (named and not named.search(owner)):
        return  # of a module: a name that is imported for others to see
    yield _suspicion(node, visit, f"`{text_of(node)}` names the method and does not call it")


def _is_statement(node: ast.Attribute, visit: Visit) -> bool:
    """Whether nothing is done with a value: `model.train if training else model.eval`."""
    if isinstance(visit.parent, ast.IfExp):
        around = visit.parents
        chosen = node is visit.parent.body  # told once
        return chosen and len(around) > 1 and isinstance(around[-2], ast.Expr)
    return isinstance(visit.parent, ast.Expr)


def _suspect_value(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """`losses.append(loss.item)`, `total += loss.item`: the method goes where a number belongs."""
    parent = visit.parent
    if not isinstance(node, ast.Attribute) or not _is_taken(node, parent):
        return
    made = isinstance(node.value, ast.Call)
    if NUMBERED.search(text_of(node.value)) if not made else _is_tensors(node.value, visit):
        yield _suspicion(node, visit, f"`{text_of(node)}` gives the method, and no number of it")


def _is_taken(node: ast.Attribute, parent: ast.AST | None) -> bool:
    if isinstance(parent, ast.Call):
        return node in parent.args and called_name(parent) in TAKES_NUMBERS
    sides = ast.FormattedValue | ast.BinOp
    return isinstance(parent, sides) or (isinstance(parent, ast.AugAssign) and parent.value is node)


def _is_tensors(value: ast.expr, visit: Visit) -> bool:
    """Whether a call gives a tensor: a function of torch's, a method of tensors, a loss."""
    called, last = visit.module.names.called(value) or "", called_name(value)
    return called.startswith("torch.") or last in ("cpu", "detach", "sum", "mean", "argmax", "max")


def _suspect_state(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """`torch.save(model.state_dict, path)` saves the method, and the whole model with it."""
    if not isinstance(node, ast.Attribute) or isinstance(visit.parent, ast.Attribute):
        return
    call = next((one for one in reversed(visit.parents) if isinstance(one, ast.Call)), None)
    if call is None or call.func is node or not KEEPERS.search(text_of(node.value)):
        return
    saved = visit.module.names.called(call) == "torch.save"
    if saved or (called_name(call) == "load_state_dict" and node in call.args):
        yield _suspicion(node, visit, f"`{text_of(node)}` gives the method, not what it returns")


def _suspect_mode(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Attribute) or not isinstance(visit.parent, ast.withitem):
        return
    if visit.module.names.qualified(node) in MODES:
        yield _suspicion(
            node, visit, f"`with {text_of(node)}:` is given the class, not a mode: it needs `()`"
        )


def _suspect_with(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """`with no_grad:`, of an imported name."""
    for item in node.items if isinstance(node, ast.With) else ():
        mode = item.context_expr
        if isinstance(mode, ast.Name) and visit.module.names.qualified(mode) in MODES:
            yield _suspicion(
                mode, visit, f"`with {mode.id}:` is given the class, not a mode: it needs `()`"
            )


def _suspect_parameters(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Attribute) or isinstance(visit.parent, ast.Attribute):
        return
    if not _is_given(node, visit) or not _is_model(node.value, visit):
        return
    yield _suspicion(
        node, visit, f"`{text_of(node)}` hands the optimizer the method, not the parameters"
    )


def _is_given(node: ast.Attribute, visit: Visit) -> bool:
    """Whether a value goes to an optimizer or to a clip, alone or as `params` of a group."""
    call = next((one for one in reversed(visit.parents) if isinstance(one, ast.Call)), None)
    if call is None or call.func is node:
        return False
    called = visit.module.names.called(call) or ""
    optimizer = called.startswith(OPTIMIZERS) and "lr_scheduler" not in called
    if not optimizer and not called_name(call).startswith("clip_grad"):
        return False
    grouped = isinstance(visit.parent, ast.Dict | ast.keyword | ast.List)
    return grouped or node in call.args[:1]


def _is_model(value: ast.expr, visit: Visit) -> bool:
    """Whether a value is a module of layers: by what it is made of, else by its name.

    A configuration may well keep a list under the name `parameters`.
    """
    if text_of(value) == "self":
        owner = visit.owner
        return owner is not None and visit.project.is_network(owner)
    return MODEL_NAME.search(text_of(value)) is not None


def _is_class(node: ast.Attribute) -> bool:
    """`Trainer.train`: a method of a class, looked at and not meant to be called."""
    owner = node.value
    name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    return bool(name[:1].isupper())


def _suspicion(node: ast.expr, visit: Visit, message: str) -> Suspicion:
    return Suspicion(
        rule=CODE,
        location=visit.module.location(node),
        symbol=visit.symbol,
        message=message,
        extent=(node.lineno, node.end_lineno or node.lineno),
    )


SICK = """\
import torch


def train(model, batches):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for batch in batches:
        optimizer.zero_grad
        model(batch).mean().backward()
        optimizer.step()
"""

DEFECT = Defect(
    code=CODE,
    name="method-not-called",
    severity=Severity.HIGH,
    summary="A method of training is named and not called: its brackets are missing.",
    explanation=(
        "`optimizer.step`, `optimizer.zero_grad`, `loss.backward`, `model.train` or `model.eval` "
        "as a statement of its own, without brackets, does nothing and is no error in Python. "
        "`losses.append(loss.item)` and `torch.save(model.state_dict, path)` keep the method; "
        "`with torch.no_grad:` and `Adam(model.parameters)` are errors when they run. Not meant: "
        "methods that are handed on or kept; a look in a `try` whether there is one; methods of "
        "classes."
    ),
    harm=(
        "The step, the clearing or the change of mode never happens: nothing is learned, or the "
        "gradients of all batches add up, or dropout is on where it should be off."
    ),
    confirmed_by=(
        "No probe runs a user's training loop. To see it, run a type checker or a linter for "
        "statements without effect over the line."
    ),
    sick=SICK,
    healed=SICK.replace("optimizer.zero_grad\n", "optimizer.zero_grad()\n"),
    suspects={
        attributes(*STATEMENTS): _suspect_statement,
        attributes("no_grad", "enable_grad", "inference_mode"): _suspect_mode,
        attributes("parameters"): _suspect_parameters,
        attributes(*VALUES): _suspect_value,
        attributes("state_dict"): _suspect_state,
        ast.With: _suspect_with,
    },
)
