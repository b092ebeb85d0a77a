"""GD101: gradients are switched off on the way from the parameters to the loss."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.gradient_flow import GradientCut, GradientFlow
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.repairs import Applicability, FixPromise
from gptdoctor.defect import Defect, Models, Proof, Visit, calls
from gptdoctor.source.classes import FunctionNode
from gptdoctor.source.flow_escapes import Escapes
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_gradients import Gradients
from gptdoctor.source.flow_intent import COMMENT, is_meant
from gptdoctor.source.flow_reapplied import reapplied
from gptdoctor.source.flow_results import escape_goes_on, result_used
from gptdoctor.source.flow_sources import Sources, arguments, learned
from gptdoctor.source.flow_switches import (
    SWITCHES,
    Switch,
    block_switch,
    decorator_switch,
    may_leave,
    may_switch,
    statement_switch,
)
from gptdoctor.source.flow_targets import end, start
from gptdoctor.source.flow_training import Training, is_off_limits
from gptdoctor.source.flow_weighed import weighed
from gptdoctor.source.kept import kept
from gptdoctor.source.lost_gradients import (
    MEANT,
    MEASURE,
    enumerated,
    lost_gradients_test,
    made_deeper,
)
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

CODE = "GD101"
PROBE = "gradient-flow"
LEAST_CHANGE = 1e-5  # two runs in float32 differ by up to 3.3e-7 of the largest value


def see_function(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A decorated function whose result the training path uses."""
    if not isinstance(node, FunctionNode) or not node.decorator_list:
        return
    nested = visit.function is not None
    if may_switch(node, visit.module.names, nested=nested) and may_leave(node, visit.module):
        function = functions_of(visit.project, visit.module)[node]
        switch = decorator_switch(function)
        if switch:
            yield from _judge_decorated(switch, visit)


def see_with(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A with block whose values the training path uses."""
    function = visit.flow
    if isinstance(node, ast.With | ast.AsyncWith) and function is not None:
        switch = block_switch(node, function)
        if switch:
            yield from _judge_block(switch, visit)


def see_call(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A statement that calls set_grad_enabled(False), after which the training path goes on."""
    function, statement = visit.flow, visit.parent
    if isinstance(statement, ast.Expr) and function is not None:
        switch = statement_switch(statement, function)
        if switch:
            yield from _judge_block(switch, visit)


@kept(8)
def _analyses(project: Project, module: SourceModule, models: Models) -> tuple[Gradients, Training]:
    """One analysis for all switches of a module; what it keeps, it keeps by the nodes of trees."""
    gradients = Gradients(project)
    return gradients, Training(project, gradients, models)


def _judge_decorated(switch: Switch, visit: Visit) -> Iterator[Suspicion]:
    function = switch.function
    gradients, training = _analyses(visit.project, visit.module, visit.asked_models)
    if not training.may_reach(function) or not training.reaches(function):
        return
    escapes = Escapes(function, start(function.node), end(function.node), gradients)
    kept = [one.sources for one in escapes.attributes()]
    result = gradients.returned(function)
    if not any((result, *kept)):
        return
    if training.is_entry(function) or result_used(function, training, gradients):
        kept.append(result)
    joined = _joined(kept)
    lost = training.own_origins(joined, function)
    if not learned(lost):  # only then does it matter what training brings in
        lost = training.origins(joined, function)
    if (learned(lost) or arguments(lost)) and not is_meant(switch, training):
        yield _suspicion(switch, lost, (), visit)


def _judge_block(switch: Switch, visit: Visit) -> Iterator[Suspicion]:
    function = switch.function
    if decorator_switch(function) or _nested(function, visit):
        return
    if is_off_limits(function, switch.node):
        return
    gradients, training = _analyses(visit.project, visit.module, visit.asked_models)
    if not training.reaches(function):
        return
    escapes = Escapes(function, start(switch.node), switch.last, gradients)
    leaving = [one for one in escapes.found() if one.sources]
    found = {
        escape.name: lost
        for escape in leaving
        if learned(lost := training.own_origins(escape.sources, function))
        and not set(learned(lost)) <= reapplied(escape.name, escapes)
        and not set(learned(lost)) <= weighed(escape.name, escapes)
        and escape_goes_on(escape, function, training, gradients)
    }
    if found and not is_meant(switch, training):
        names = tuple(sorted(filter(None, found)))
        yield _suspicion(switch, _joined(found.values()), names, visit)


def _nested(function: Function, visit: Visit) -> bool:
    """Whether a with block around this one switches gradients off already."""
    blocks = (one for one in visit.parents if isinstance(one, ast.With | ast.AsyncWith))
    return any(block_switch(block, function) for block in blocks)


def _joined(found: Iterable[Sources]) -> Sources:
    return frozenset().union(*found)


def _suspicion(switch: Switch, lost: Sources, names: tuple[str, ...], visit: Visit) -> Suspicion:
    location = visit.module.location(switch.node)
    symbol = switch.function.symbol
    reached = tuple(learned(lost)) or tuple(arguments(lost))
    made = " and ".join(names) or f"the result of {switch.function.name}"
    return Suspicion(
        rule=CODE,
        location=location,
        symbol=symbol,
        message=(
            f"{switch.operation} cuts the gradient of {made}, which training uses: "
            f"{enumerated(reached)} cannot learn through it."
        ),
        details={
            "operation": switch.operation,
            "form": switch.form,
            "function": switch.function.name,
            "names": names,
            "reaches": reached,
        },
        extent=(location.line, switch.last[0]),
    )


def read_flow(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict where switching gradients on again reaches or changes parameters."""
    if not isinstance(measurement, GradientFlow) or measurement.crash is not None:
        return
    for cut in measurement.cuts:
        if cut.operation in SWITCHES and cut.measured:
            yield _conviction(cut, measurement)
    yield Conviction(
        rule=CODE,
        status=Status.REFUTED,
        probe=PROBE,
        place=None,
        message="Everything that ran without gradients had none to lose.",
        values={"objective": measurement.objective},
    )


def _conviction(cut: GradientCut, measurement: GradientFlow) -> Conviction:
    changed = cut.parameters_changed if cut.largest_change > LEAST_CHANGE else 0
    gained = len(cut.parameters_gained)
    meant = cut.repeated or bool(cut.use) or COMMENT.search(cut.code) is not None
    harmful = bool(gained or (changed and not meant))
    parts = [f"{gained} parameters get no gradient because of it"] if gained else []
    parts += [f"{changed} get a wrong one"] if changed else []
    told = " and ".join(parts) or "no gradient changes when it is left out"
    if changed and not harmful:
        told = MEANT["repeated" if cut.repeated else cut.use or ""]
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED if harmful else Status.REFUTED,
        probe=PROBE,
        place=Place(path=cut.path, symbol=cut.symbol, line=cut.line),
        message=f"{cut.operation} lies between parameters and the loss: {told}.",
        values={
            "operation": cut.operation,
            "objective": measurement.objective,
            "parameters_gained": gained,
            "parameters_gained_names": cut.parameters_gained,
            "parameters_changed": changed,
            "largest_relative_change": cut.largest_change,
            **_trail(cut, measurement),
            **({"build": cut.build} if cut.build else {}),
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """The parameters that got no gradient, by name; a wrong gradient has no short test."""
    return made_deeper(lost_gradients_test(values.get("parameters_gained_names")), values)


def _trail(cut: GradientCut, measurement: GradientFlow) -> dict[str, Value]:
    """The way of the data from a parameter into the place, where one was followed."""
    for lost in measurement.lost:
        if lost.operation == "no_grad" and set(lost.parameters) & set(cut.parameters_gained):
            return {"trail_from": lost.trail_from, "trail": lost.trail}
    return {}


SICK = """\
import torch
from torch import nn


class Halting(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.score = nn.Linear(width, 1)
        self.step = nn.Linear(width, width)

    @torch.no_grad()
    def _chance(self, x):
        return torch.sigmoid(self.score(x))

    def forward(self, x):
        return x + self._chance(x) * self.step(x)
"""

DEFECT = Defect(
    code=CODE,
    name="no-grad-in-forward",
    severity=Severity.CRITICAL,
    summary="Gradients are switched off on the way from parameters to the loss.",
    explanation=(
        "A function that forward or a training step calls, or a part of it, runs under "
        "torch.no_grad, torch.inference_mode or set_grad_enabled(False), and what it computes from "
        "parameters or activations goes on into the model's output. Generation, evaluation, "
        "running averages, masks, position tables, integer choices and targets that predictions "
        "are matched with are not meant: there is no gradient to lose. Neither are networks that "
        "are frozen on purpose, and functions whose docstring says that no gradient is wanted."
    ),
    harm=(
        "Parameters that act only through this value never change, however long the training; "
        "parameters that act in other ways too get a gradient that lacks a part."
    ),
    confirmed_by=(
        "The probe gradient-flow runs forward and backward twice, once as written and once with "
        "this place recording gradients. Parameters that gain a gradient, or whose gradient moves "
        "by more than 1e-5 of its size, confirm it; equal gradients refute it."
    ),
    sick=SICK,
    healed=SICK.replace("    @torch.no_grad()\n", ""),
    suspects={
        ast.FunctionDef: see_function,
        ast.AsyncFunctionDef: see_function,
        ast.With: see_with,
        ast.AsyncWith: see_with,
        calls("set_grad_enabled"): see_call,
    },
    convicts={PROBE: read_flow},
    explains=("GD102", "GD106", "GD204", "GD606", "GD903"),
    words=tuple(sorted(SWITCHES)),
    proof=Proof(measures=(MEASURE,), test=_test),
    fix=FixPromise(
        applicability=Applicability.SAFE,
        title="Let gradients flow here",
        safety=(
            "Safe where a run shows that parameters lose gradient by it: the values computed stay "
            "the same, only the gradient is added. A guess where nothing was measured, because a "
            "part may be kept from learning on purpose."
        ),
        order=2,
    ),
)
