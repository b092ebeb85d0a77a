"""GD620: a method is named where it should be called."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, attributes
from gptdoctor.source.flow_targets import text_of

CODE = "GD620"
# As statements of their own these do nothing without their brackets.
STATEMENTS = ("step", "zero_grad", "backward", "eval", "train", "requires_grad_", "clip_grad_norm_")
# What a `with` has to be given made.
MODES = frozenset({"torch.no_grad", "torch.enable_grad", "torch.inference_mode"})
OPTIMIZERS = "torch.optim."
MODEL_NAME = re.compile(
    r"(model|net|network|module|policy|actor|critic|encoder|decoder|generator|discriminator|head)$",
    re.IGNORECASE,
)


def _suspect_statement(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Attribute) or not isinstance(visit.parent, ast.Expr):
        return
    # In a `try` it asks whether the attribute is there.
    if any(isinstance(parent, ast.Try) for parent in visit.parents) or _is_class(node):
        return
    if text_of(node.value) in visit.module.names.aliases:
        return  # of a module: a name that is imported for others to see
    yield _suspicion(node, visit, f"`{text_of(node)}` names the method and does not call it")


def _suspect_mode(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Attribute) or not isinstance(visit.parent, ast.withitem):
        return
    if visit.module.names.qualified(node) in MODES:
        yield _suspicion(
            node, visit, f"`with {text_of(node)}:` is given the class, not a mode: it needs `()`"
        )


def _suspect_parameters(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    call = visit.parent
    if not isinstance(node, ast.Attribute) or not isinstance(call, ast.Call):
        return
    called = visit.module.names.called(call) or ""
    if (
        node in call.args[:1]
        and _is_model(node.value, visit)
        and called.startswith(OPTIMIZERS)
        and "lr_scheduler" not in called
    ):
        yield _suspicion(
            node, visit, f"`{text_of(node)}` hands the optimizer the method, not the parameters"
        )


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


def _suspicion(node: ast.Attribute, visit: Visit, message: str) -> Suspicion:
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
    },
)
