"""GD408: a method that generates puts the model into training mode."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.generation import GeneratedMethod, Generation, ModeUse
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.written_call import values_of
from gptdoctor.defect import Defect, Proof, Visit, attributes, calls
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import end, names_in, start, text_of
from gptdoctor.source.generating import WITHOUT_GRADIENTS, Step, steps_in
from gptdoctor.source.generation_tests import watched
from gptdoctor.source.model_calls import helper_called
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import calls_below
from gptdoctor.source.text_values import bound_to

CODE = "GD408"
PROBE = "generation"
# What asks for dropout while generating: its average over many draws tells how sure a model is.
ON_PURPOSE = re.compile(
    r"mc_?(drop|sampl)|monte.?carlo|uncertain|ensemble|bayes|stochastic_pass|rollout|\.backward\(",
    re.IGNORECASE,
)


def see_switch(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """`train()` of the model before the loop that it generates in, and no `eval()` in between."""
    function = visit.flow
    if not isinstance(node, ast.Call) or function is None:
        return
    if not _turns_on(node):
        yield from _restored(node, function)
        return
    for step in steps_in(function):
        if not ON_PURPOSE.search(function.text) and _acts_on(node, step, function):
            receiver = ast.unparse(node.func).rpartition(".")[0]
            yield Suspicion(
                rule=CODE,
                location=visit.module.location(node),
                symbol=function.symbol,
                message=(
                    f"`{receiver}` is put into training mode here, and `{function.name}` draws "
                    "its tokens in it: dropout acts on every one of them"
                ),
                extent=(node.lineno, node.end_lineno or node.lineno),
            )
            return


def see_flag(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """`module.training = True` of all modules, before the loop that generates."""
    function, statement = visit.flow, visit.parent
    if function is None or not isinstance(statement, ast.Assign) or node not in statement.targets:
        return
    loop = next((one for one in reversed(visit.parents) if isinstance(one, ast.For)), None)
    on = isinstance(statement.value, ast.Constant) and statement.value.value is True
    if not on or loop is None or len(loop.body) > 1 or ON_PURPOSE.search(function.text):
        return
    every = "modules" in function.text and isinstance(node, ast.Attribute)
    element = every and isinstance(node, ast.Attribute) and text_of(node.value)
    steps = [one for one in steps_in(function) if start(loop) < start(one.loop)]
    if element in [one.id for one in names_in(loop.target)] and steps:
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(node),
            symbol=function.symbol,
            message=(
                f"All modules are put into training mode here, and `{function.name}` draws its "
                "tokens in it: dropout acts on every one of them"
            ),
            extent=(loop.lineno, loop.end_lineno or loop.lineno),
        )


def _restored(node: ast.Call, function: Function) -> Iterator[Suspicion]:
    """`self.train(was)` after a loop that generates in the mode that it found."""
    model, named = _receiver(node), node.args[0] if len(node.args) == 1 else None
    was = bound_to(named, function) if isinstance(named, ast.Name) else None
    kept = was is not None and model is not None and ast.unparse(was) == f"{model}.training"
    if not kept or not _never_evaluates(function) or ON_PURPOSE.search(function.text):
        return
    for step in steps_in(function):
        if model in _models(step.forward, function) and start(node) > end(step.loop):
            yield Suspicion(
                rule=CODE,
                location=function.module.location(node),
                symbol=function.symbol,
                message=(
                    f"`{function.name}` puts the mode of `{model}` back and never changes it: "
                    "called while the model trains, dropout acts on every token"
                ),
                extent=(node.lineno, node.end_lineno or node.lineno),
            )
            return


def _never_evaluates(function: Function) -> bool:
    """Whether nothing in a function, or around it, may switch a mode but one call."""
    marks = [ast.unparse(one) for one in function.node.decorator_list]
    if not all(WITHOUT_GRADIENTS.search(one) for one in marks):
        return False
    calls = [one for one in own_nodes(function.node) if isinstance(one, ast.Call)]
    switches = [one for one in calls if called_name(one) in ("eval", "train", "apply")]
    return len(switches) == 1 and not any(
        isinstance(one, ast.With) and "eval" in ast.unparse(one.items[0].context_expr)
        for one in own_nodes(function.node)
    )


def _turns_on(call: ast.Call) -> bool:
    """`train()`, `train(True)`, `train(mode=True)`."""
    given = [*call.args, *(one.value for one in call.keywords)]
    return all(isinstance(one, ast.Constant) and one.value is True for one in given)


def _acts_on(switch: ast.Call, step: Step, function: Function) -> bool:
    """Whether the model of a loop is certainly in training mode where the loop runs it."""
    model = _receiver(switch)
    known = model is not None and model in _models(step.forward, function)
    if not known or not _always_before(switch, step, function):
        return False
    # In the loop the switch comes back with each turn, whatever follows the model.
    last = start(step.forward) if start(switch) > start(step.loop) else end(step.loop)
    return not any(
        isinstance(node, ast.Call)
        and node is not switch
        and called_name(node) in ("eval", "train", "requires_grad_", "apply")
        and start(switch) < start(node) <= last
        for node in own_nodes(function.node)
    )


def _always_before(switch: ast.Call, step: Step, function: Function) -> bool:
    """Whether the switch runs before the model, each time that the model runs."""
    if start(switch) > start(step.forward):
        return False
    around = function.statements_around(switch)
    for statement, inner in zip(around, [*around[1:], None], strict=True):
        one = statement[0]
        body = one.body if isinstance(one, ast.Try) else []
        tried = inner is not None and inner[0] in body
        seldom = isinstance(one, ast.If | ast.Try | ast.For | ast.While)
        if seldom and one is not step.loop and not tried:
            return False
    return True


def _models(forward: ast.Call, function: Function) -> list[str]:
    """The models that a call runs: `self(x)`, `model.forward(x)`, or those of a helper."""
    helper = helper_called(forward, function)
    if helper is None:
        return [ast.unparse(_without_forward(forward.func))]
    inside = [ast.unparse(_without_forward(one.func)) for one in calls_below(helper)]
    kept = [one for one in inside if one == "self" or one.startswith("self.")]
    return [*kept, *(one.id for one in forward.args if isinstance(one, ast.Name))]


def _without_forward(called: ast.expr) -> ast.expr:
    named = isinstance(called, ast.Attribute) and called.attr == "forward"
    return called.value if named and isinstance(called, ast.Attribute) else called


def _receiver(switch: ast.Call) -> str | None:
    """`model`, `self` or `self.model`."""
    value = switch.func.value if isinstance(switch.func, ast.Attribute) else None
    plain = isinstance(value, ast.Name) or (value is not None and self_attribute(value))
    return ast.unparse(value) if value is not None and plain else None


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Generation):
        return
    for method in measurement.methods:
        if method.mode is not None:
            yield _conviction(method, method.mode)


def _conviction(method: GeneratedMethod, mode: ModeUse) -> Conviction:
    sick = mode.trained_inside or mode.restores_unchanged
    told = "generates in evaluation mode, called while the model evaluates"
    if mode.trained_inside:
        told = "generates in training mode, called while the model evaluates"
    elif sick:
        told = "restores the mode of the model after generating, and never turns dropout off"
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED if sick else Status.REFUTED,
        probe=PROBE,
        # The last may be what puts the mode back behind the loop.
        place=(mode.switch(training=True, first=True) if sick else None) or method.place,
        message=f"`{method.symbol}` {told}",
        values={
            "training_inside": mode.trained_inside,
            "restores_unchanged": mode.restores_unchanged,
            "switch_lines": tuple(one.line for one in mode.switches if one.training),
            **values_of(method.written),
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """The mode of the model in each forward pass of the method."""
    start = "eval" if values.get("training_inside") else "train"
    body = watched(values, start, "model.training")
    return body and f'{body}assert not any(seen), "it generates in training mode"\n'


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
        self.train()
        for _ in range(max_new_tokens):
            probs = self(ids)[:, -1].softmax(dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
        return ids
"""

HEALED = SICK.replace("        self.train()\n", "")

DEFECT = Defect(
    code=CODE,
    name="dropout-while-generating",
    severity=Severity.HIGH,
    summary=(
        "A method that generates switches the model into training mode, and dropout acts on every "
        "token."
    ),
    explanation=(
        "The model was evaluating when the method was called, and its forward passes ran in "
        "training mode; or it was training, and the method restores that mode after it has "
        "generated in it, so that the switch to evaluation is missing. Not meant: a method that "
        "leaves the mode to its caller, one that switches to evaluation and back, and dropout at "
        "inference that is asked for by a parameter."
    ),
    harm=(
        "Every token is drawn from a damaged model: the text is worse than what was trained, and "
        "no two runs agree."
    ),
    confirmed_by=(
        "The probe generation puts the model into evaluation mode, calls the method and looks at "
        "the mode in each forward pass. Training mode in any of them confirms, and so does a "
        "model in training mode that stays in it while its mode is restored; evaluation in all "
        "refutes."
    ),
    sick=SICK,
    healed=HEALED,
    suspects={calls("train"): see_switch, attributes("training"): see_flag},
    convicts={PROBE: _convict},
    proof=Proof(test=_test),
)
