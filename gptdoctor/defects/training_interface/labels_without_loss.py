"""GD608: a call takes labels, or a training step a batch, and no loss comes of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from gptdoctor.core.findings import (
    Conviction,
    Place,
    Severity,
    Status,
    Suspicion,
    Value,
)
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.training_interface import TrainingInterface
from gptdoctor.defect import Defect, Named, Proof, Visit
from gptdoctor.source.classes import ClassInfo, parameters, self_attribute
from gptdoctor.source.flow_functions import Function, functions_of, loads_of, own_nodes
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.imports import is_none
from gptdoctor.source.label_reads import losses_in, takes_labels, unread_labels
from gptdoctor.source.loss_calls import may_call_losses
from gptdoctor.source.loss_tests import given
from gptdoctor.source.losses import loss_sign
from gptdoctor.source.nodes import calls_below, every_node
from gptdoctor.source.project import Project
from gptdoctor.source.vocabulary import gives_logits

CODE = "GD608"
PROBE = "training-interface"
STEP = "training_step"  # what Lightning calls for the loss of a batch
# A class that says one of these goes backward by itself.
OTHER_WAYS = re.compile(r"automatic_optimization|backward\(|super\(\)\.training_step")


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.FunctionDef) or not node.args.args:
        return
    step = node.name == STEP
    owner = visit.owner if step or takes_labels(node) else None
    if owner is None:
        return
    if step:
        if _gives_nothing(node, visit) and visit.project.is_network(owner):
            yield _of_lost_step(node, visit)
        return
    function = functions_of(visit.project, visit.module)[node]
    lost = _lost(function) if node.name == "forward" else None
    if lost is not None and visit.project.is_network(owner):
        yield _of_lost_loss(lost, function)
    names = unread_labels(function) if function.method else ()
    if not names or any("loss" in name for name in owner.methods) or any(losses_in(function)):
        return
    empty = _empty_losses(function)
    if empty and visit.project.is_network(owner):
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(empty[-1]),
            symbol=function.symbol,
            message=f"`{function.symbol}` takes `{names[0]}` and returns None for its loss",
            extent=(empty[0].lineno, empty[-1].end_lineno or empty[-1].lineno),
        )
    elif not empty and _is_promised(names[0], function, owner, visit.project):
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(_argument(node, names[0])),
            symbol=function.symbol,
            message=(
                f"`{function.symbol}` takes `{names[0]}`, reads them nowhere and returns no loss"
            ),
            extent=(node.lineno, node.end_lineno or node.lineno),
        )


def _lost(function: Function) -> ast.Call | None:
    """The only loss that a forward pass computes, if nothing reads the name that it is given."""
    if not function.method or not function.returned or not may_call_losses(function):
        return None
    losses = [one.call for one in losses_in(function)]
    names = function.bindings.names_given.get(losses[0], []) if len(losses) == 1 else []
    read = any(loads_of(function).get(name) for name in names)
    return losses[0] if names and not read and "locals()" not in function.text else None


def _of_lost_loss(lost: ast.Call, function: Function) -> Suspicion:
    return Suspicion(
        rule=CODE,
        location=function.module.location(lost),
        symbol=function.symbol,
        message=f"`{function.symbol}` computes a loss of its labels and does not return it",
        extent=(lost.lineno, lost.end_lineno or lost.lineno),
    )


def _is_promised(labels: str, function: Function, owner: ClassInfo, project: Project) -> bool:
    """Whether labels that may be left out are for a loss: what is returned are scores for them.

    A picture's label may be what a model of pictures is to paint.
    """
    if labels not in _optional(function.node) or labels == "label":
        return False
    if not project.is_network(owner) or not function.returned:
        return False
    if loss_sign(project, owner) is not None:
        return False
    said = any("logits" in text_of(value) for value in function.returned)
    return said or gives_logits(project, owner)


def _optional(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """The parameters that are None unless they are given."""
    arguments = [*node.args.posonlyargs, *node.args.args]
    plain = zip(reversed(arguments), reversed(node.args.defaults), strict=False)
    named = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    pairs: list[tuple[ast.arg, ast.expr | None]] = [*plain, *named]
    return {one.arg for one, value in pairs if value is not None and is_none(value)}


def _argument(node: ast.FunctionDef, name: str) -> ast.AST:
    return next((one for one in parameters(node) if one.arg == name), node)


def _gives_nothing(node: ast.FunctionDef, visit: Visit) -> bool:
    """Whether a step that a trainer calls runs the model, gives nothing, and steps not itself."""
    owner, function = visit.owner, functions_of(visit.project, visit.module)[node]
    if owner is None or function.returned or OTHER_WAYS.search(owner.text):
        return False
    if "configure_optimizers" not in owner.methods:  # somebody else may call the step
        return False
    return any(_runs(node, owner) for node in calls_below(node))


def _runs(call: ast.Call, owner: ClassInfo) -> bool:
    """Whether a call runs the model or a layer: a step that is there to be overridden does not."""
    if isinstance(call.func, ast.Name):
        return call.func.id == "self"
    own = self_attribute(call.func)
    return own is not None and (own in owner.attributes or own == "forward")


def _of_lost_step(node: ast.FunctionDef, visit: Visit) -> Suspicion:
    begin = visit.module.location(node)
    width = len(visit.module.lines[begin.line - 1].rstrip()) + 1
    return Suspicion(
        rule=CODE,
        location=replace(begin, end_line=begin.line, end_column=width),
        symbol=f"{visit.symbol}.{node.name}",
        message=(
            f"`{node.name}` runs the model and returns nothing: its trainer has no loss to step by"
        ),
        extent=(node.lineno, node.end_lineno or node.lineno),
    )


def _empty_losses(function: Function) -> list[ast.Assign]:
    """The assignments `loss = None`, where nothing else is assigned to it and it is returned."""
    bound = function.bindings.by_name.get("loss", [])
    returned = any(
        isinstance(node, ast.Name) and node.id == "loss"
        for value in function.returned
        for node in every_node(value)
    )
    if not bound or not returned or not all(is_none(one.value) for one in bound):
        return []
    values = [one.value for one in bound]
    found = [
        node
        for node in own_nodes(function.node)
        if isinstance(node, ast.Assign) and node.value in values
    ]
    return sorted(found, key=lambda one: one.lineno)


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, TrainingInterface):
        return
    if measurement.empty_step:
        yield _of_step(measurement, record)
        return
    target, names = record.target, measurement.label_parameters
    idle = measurement.idle_labels
    if not idle and not (names and measurement.loss_returned):
        return  # labels that were refused, or of which something else comes
    yield Conviction(
        rule=CODE,
        status=Status.CONFIRMED if idle else Status.REFUTED,
        probe=PROBE,
        place=measurement.idle_at or Place(path=target.path, symbol=target.name),
        message=(
            f"{target.name} takes {idle} and makes nothing of them: there is no loss to train with"
            if idle
            else f"{target.name} makes a loss of its {names[0]}"
        ),
        values={"name": idle or names[0]},
    )


def _of_step(measurement: TrainingInterface, record: ModelRecord) -> Conviction:
    target, step = record.target, measurement.empty_step
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=measurement.empty_step_at or Place(path=target.path, symbol=target.name),
        message=(
            f"{step} of {target.name} runs the model on a batch and makes no loss of what it "
            "gives: there is nothing to train with"
        ),
        values={"name": step, "step": True, "call": measurement.empty_step_call},
    )


def _test(values: Mapping[str, Value]) -> str:
    """The loss that a call returns for its labels, or a step for its batch."""
    if values.get("step"):
        call = str(values["call"])
        return call and (
            f"{given(call)}"
            f'assert loss_in({call}, None) is not None, "no loss is made of the batch"\n'
        )
    return (
        f"output = run(build(), random_ids(), {values['name']}=random_ids(seed=1))\n"
        'assert loss_in(output, None) is not None, "labels are taken, and no loss is returned"\n'
    )


SICK = """\
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids, labels=None):
        logits = self.lm_head(self.mix(self.wte(input_ids))[0])
        loss = None
        if labels is not None:
            loss = None
        return logits, loss
"""

DEFECT = Defect(
    code=CODE,
    name="labels-without-loss",
    severity=Severity.MEDIUM,
    summary="A call takes labels, or a training step a batch, and no loss comes of it.",
    explanation=(
        "The branch that should compute the loss is empty, a placeholder, or missing, while the "
        "call returns logits; or the loss that it computes is not returned; or Lightning's "
        "`training_step` runs the model and returns nothing. Not meant: a model whose loss is "
        "another method's, one that feeds its labels to its own decoder, and one that wants a "
        "switch or a second set of labels beside the first, a training step that goes back by "
        "itself, and one that hands the logits on to whoever makes the loss."
    ),
    harm=(
        "A trainer that passes labels gets no loss back and stops, or goes on with another loss "
        "than the one that the model promises."
    ),
    confirmed_by=(
        "The probe training-interface calls the model with two sets of labels. Outputs that are "
        "the same, without a loss among them, and no number made of the labels on the way "
        "confirm. So does a method named for training that runs the model on a batch, and "
        "returns nothing, while no number is made of what the model gives. A loss that reaches "
        "the parameters refutes."
    ),
    sick=SICK,
    healed=SICK.replace(
        "from torch import nn", "import torch.nn.functional as F\nfrom torch import nn"
    ).replace(
        "            loss = None\n",
        "            loss = F.cross_entropy(logits[:, :-1].mT, labels[:, 1:])\n",
    ),
    suspects={Named(ast.FunctionDef, ("forward", STEP)): _suspect},
    convicts={PROBE: _convict},
    proof=Proof(measures=("specimen.outputs:loss_in",), test=_test),
)
