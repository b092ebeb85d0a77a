"""GD409: a method that generates leaves the model in another mode than it found it in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Confidence, Conviction, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.generation import GeneratedMethod, Generation, ModeUse
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.written_call import values_of
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.early_returns import returns_before
from gptdoctor.source.flow_functions import Function, loads_of, own_nodes
from gptdoctor.source.flow_targets import end, start, text_of
from gptdoctor.source.generating import Step, steps_in
from gptdoctor.source.generation_tests import watched
from gptdoctor.source.names import called_name

CODE = "GD409"
PROBE = "generation"


# Decorators that leave the mode alone.
_PLAIN = frozenset({"no_grad", "inference_mode", "no_grad()", "inference_mode()"})
# Methods that a training loop calls, where the mode to come back to is known.
_TRAINING = re.compile(r"^_?(on_|log_|train|valid|evaluat|fit)|_(callback|hook|epoch|step)$")


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    function, owner = visit.flow, visit.owner
    if not isinstance(node, ast.Call) or function is None:
        return
    if called_name(node) == "eval" and not node.args:
        yield from _returned_early(node, function)
    mode = _mode(node)
    if mode is None or owner is None or not function.method or not visit.project.is_network(owner):
        return
    steps = steps_in(function)
    if not steps or _is_guarded(function, node):
        return
    if mode and _ends_training(function, node, steps[0]):
        told = "leaves the model training, whatever its mode was before"
    elif not mode and not _restores(function):
        told = "finds the model training and leaves it evaluating: nothing calls train() afterwards"
    else:
        return
    yield Suspicion(
        rule=CODE,
        location=visit.module.location(node),
        symbol=function.symbol,
        message=f"`{function.name}` {told}",
        extent=(node.lineno, node.end_lineno or node.lineno),
    )


def _returned_early(switch: ast.Call, function: Function) -> Iterator[Suspicion]:
    """A return of a text before the train() that puts the mode back everywhere else."""
    model = switch.func.value if isinstance(switch.func, ast.Attribute) else None
    words = "return" in function.text and ".train" in function.text
    if model is None or not words or not steps_in(function):
        return
    name = text_of(model)

    def restores(statement: ast.AST) -> bool:
        value = statement.value if isinstance(statement, ast.Expr) else None
        return called_name(value) == "train" and text_of(value or switch).startswith(f"{name}.")

    for early in returns_before(switch, function, restores):
        yield Suspicion(
            rule=CODE,
            location=function.module.location(early),
            symbol=function.symbol,
            message=(
                f"`{function.name}` returns here with `{name}` evaluating: only further down is "
                "its mode put back"
            ),
            extent=(early.lineno, early.end_lineno or early.lineno),
        )


def _mode(switch: ast.Call) -> bool | None:
    """Whether `self.train()` or `self.eval()` is called; `train(False)` evaluates."""
    called = self_attribute(switch.func)
    given = [*switch.args, *(one.value for one in switch.keywords)]
    if called == "eval":
        return None if given else False
    values = [one.value for one in given if isinstance(one, ast.Constant)]
    if called != "train" or len(values) < len(given) or len(given) > 1:
        return None
    return bool(values[0]) if values else True


def _is_guarded(function: Function, switch: ast.Call) -> bool:
    """Whether a decorator may put the mode back, or a test decides on the switch."""
    names = [ast.unparse(one).rpartition("torch.")[2] for one in function.node.decorator_list]
    if any(name not in _PLAIN for name in names):
        return True
    around = function.statements_around(switch)
    return any(isinstance(one, ast.If) for one, _ in around)


def _restores(function: Function) -> bool:
    """Whether something may put the mode back by train(), or asks for it.

    A mode that is only kept under a name that nothing reads puts nothing back.
    """
    kept = {
        node.value
        for node in own_nodes(function.node)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and not loads_of(function).get(node.targets[0].id)
    }
    return any(
        isinstance(node, ast.Attribute) and node.attr in ("train", "training")
        for node in own_nodes(function.node)
        if node not in kept and not _evaluates(node, function)
    )


def _evaluates(node: ast.AST, function: Function) -> bool:
    """Whether an attribute is called as `train(False)`."""
    calls = (one for one in own_nodes(function.node) if isinstance(one, ast.Call))
    return any(one.func is node and _mode(one) is False for one in calls)


def _ends_training(function: Function, switch: ast.Call, step: Step) -> bool:
    """Whether the model evaluated while it generated, and is always put into training then."""
    if _TRAINING.search(function.name) or start(switch) < end(step.loop):
        return False
    nodes = list(own_nodes(function.node))
    asked = any(isinstance(node, ast.Attribute) and node.attr == "training" for node in nodes)
    switches = [_mode(node) for node in nodes if isinstance(node, ast.Call)]
    return not asked and False in switches


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Generation):
        return
    for method in measurement.methods:
        # Where it generates in training mode, that is the finding: GD408.
        if method.mode is not None and not method.mode.trained_inside:
            yield _conviction(method, method.mode)


def _conviction(method: GeneratedMethod, mode: ModeUse) -> Conviction:
    sick = mode.left_evaluating or mode.left_training
    place = mode.switch(training=not mode.left_evaluating) if sick else None
    told = "leaves the mode of the model as it was"
    if mode.left_evaluating:
        told = "finds the model training and leaves it evaluating"
    elif mode.left_training:
        told = "finds the model evaluating and leaves it training"
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED if sick else Status.REFUTED,
        probe=PROBE,
        place=place or method.place,
        message=f"`{method.symbol}` {told}",
        values={
            "left_evaluating": mode.left_evaluating,
            "left_training": mode.left_training,
            "switch_lines": tuple(one.line for one in mode.switches),
            **values_of(method.written),
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """The mode of the model after the method."""
    if values.get("left_evaluating"):
        body, wanted = watched(values, "train", ""), "model.training"
    else:
        body, wanted = watched(values, "eval", ""), "not model.training"
    return body and f'{body}assert {wanted}, "the mode of the model is another afterwards"\n'


SICK = """\
import torch
from torch import nn


class Writer(nn.Module):
    def __init__(self, vocab_size=1000, width=64):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids):
        return self.head(self.dropout(self.mix(self.embed(ids))[0]))

    def loss(self, ids):
        logits = self(ids[:, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    @torch.no_grad()
    def generate(self, ids, max_new_tokens):
        self.eval()
        for _ in range(max_new_tokens):
            probs = self(ids)[:, -1].softmax(dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
        return ids
"""

CHANGES = (
    ("        self.eval()\n", "        training = self.training\n        self.eval()\n"),
    ("return ids", "self.train(training)\n        return ids"),
)
HEALED = SICK
for before, after in CHANGES:
    HEALED = HEALED.replace(before, after)

DEFECT = Defect(
    code=CODE,
    name="mode-not-restored",
    severity=Severity.MEDIUM,
    summary="After a method has generated, the model is in another mode than before.",
    explanation=(
        "A method calls eval() and leaves the model evaluating, whichever way it ends or by a "
        "return before the mode is put back; or it calls train() at its end whatever the mode was "
        "before. Not meant: a method that leaves the mode to its caller, as many do, or one that "
        "restores what it found."
    ),
    harm=(
        "Generating a sample in the middle of training turns dropout off for the rest of it, or "
        "an evaluation goes on with dropout; nothing fails and the numbers are wrong."
    ),
    confirmed_by=(
        "The probe generation calls the method once on a model that trains and once on one that "
        "evaluates. Another mode afterwards confirms; the same mode both times refutes."
    ),
    sick=SICK,
    healed=HEALED,
    suspects={calls("eval", "train"): _suspect},
    confidence=Confidence.MEDIUM,
    convicts={PROBE: _convict},
    proof=Proof(test=_test),
)
