"""Probe gradient-flow: which parameters the loss reaches, and what stops it where it does not."""

from __future__ import annotations

import itertools
from dataclasses import replace

from torch import nn

from gptdoctor.core.measurements.gradient_flow import (
    GradientCut,
    GradientFlow,
    LostGradient,
    ParameterGradient,
    UnusedPart,
)
from gptdoctor.probes.instruments.counterfactuals import Counterfactuals, Run, accumulate, moved_run
from gptdoctor.probes.instruments.detach_uses import with_uses
from gptdoctor.probes.instruments.in_place_writes import write_behind
from gptdoctor.probes.instruments.learnt_numbers import learnt_numbers
from gptdoctor.probes.instruments.lost_gradients import lost_gradients
from gptdoctor.probes.instruments.lost_rows import dark_rows, lost_rows
from gptdoctor.probes.instruments.no_grad_uses import with_no_grad_uses
from gptdoctor.probes.instruments.own_experts import with_own_experts
from gptdoctor.probes.instruments.requirements import require_known_call
from gptdoctor.probes.instruments.unreached_stops import LAYERS, deeper, has_unreached
from gptdoctor.probes.instruments.unused_parts import unused_parts
from gptdoctor.probes.probe import Probe
from gptdoctor.specimen.specimen import Specimen

BATCHES = 3
# Tried as well while some parameter has no gradient: idle experts get their tokens.
MORE_BATCHES = 5


def gradient_state(parameter: nn.Parameter) -> str:
    """What became of a parameter after backward, as `ParameterGradient.state` says it."""
    if not parameter.requires_grad:
        return "frozen"
    if parameter.grad is None:
        return "none"
    if not parameter.grad.isfinite().all():
        return "non-finite"
    return "flows" if parameter.grad.any() else "zero"


def _parameter_gradients(run: Run, jittered: Run | None) -> tuple[ParameterGradient, ...]:
    """The state of each parameter; with moved weights where it had no gradient as built."""
    moved = dict(jittered.model.named_parameters()) if jittered is not None else {}
    found = []
    for name, parameter in run.model.named_parameters():
        if not parameter.numel():
            continue  # what holds nothing cannot learn, and lacks nothing
        state = gradient_state(parameter)
        if state in ("none", "zero") and name in moved and gradient_state(moved[name]) == "flows":
            parameter, state = moved[name], "flows"
        gradient = parameter.grad
        ran = name in run.ran or (jittered is not None and name in jittered.ran)
        found.append(
            ParameterGradient(
                name=name,
                shape=tuple(parameter.shape),
                state=state,
                largest=None if gradient is None else float(gradient.abs().max()),
                ran=ran,
            )
        )
    return tuple(found)


def _lacking(run: Run) -> bool:
    return any(
        gradient_state(parameter) in ("none", "zero")
        for parameter in run.model.parameters()
        if parameter.numel()
    )


def measure(specimen: Specimen) -> GradientFlow:
    """The state of all parameters, and the counterfactual of each place that cuts.

    Where the text stops gradients at lines that no pass came to, as in a branch for some of many
    layers, what a deeper instance shows at such lines is added.
    """
    require_known_call(specimen)
    specimen = with_own_experts(specimen)
    found = _flow(specimen)
    known = {(cut.path, cut.line) for cut in found.cuts}
    known |= {(lost.path, lost.line) for lost in found.lost}
    if found.crash is not None or not has_unreached(specimen, known):
        return found
    with deeper(specimen) as other:
        more = None if other is None else _flow(other)
    if more is None or more.crash is not None or specimen.remade_code is None:
        return found
    build = specimen.remade_code(layers=LAYERS)
    cuts = [one for one in more.cuts if (one.path, one.line) not in known]
    lost = [one for one in more.lost if (one.path, one.line) not in known]
    number = len(more.parameters)
    return replace(
        found,
        cuts=(*found.cuts, *(replace(one, build=build, of_parameters=number) for one in cuts)),
        lost=(*found.lost, *(replace(one, build=build, of_parameters=number) for one in lost)),
    )


def _flow(specimen: Specimen) -> GradientFlow:
    construction = specimen.construction
    run = Run(model=specimen.copy())
    seeds = itertools.count(specimen.seed)
    accumulate(run, specimen, itertools.islice(seeds, BATCHES))
    if run.crash is None and _lacking(run):
        accumulate(run, specimen, itertools.islice(seeds, MORE_BATCHES))
    jittered: Run | None = None
    cuts: tuple[GradientCut, ...] = ()
    if run.crash is None and _lacking(run):
        jittered = moved_run(specimen, batches=BATCHES)
    if run.cuts:
        cuts = tuple(Counterfactuals(specimen).of(run.cuts))
        cuts = with_no_grad_uses(specimen, with_uses(specimen, cuts))
    parameters = _parameter_gradients(run, jittered)
    lacking = [one.name for one in parameters if one.state in ("none", "zero")]
    lost: tuple[LostGradient, ...] = ()
    unused: tuple[UnusedPart, ...] = ()
    if lacking and run.crash is None:
        lost, untouched = lost_gradients(specimen, lacking)
        unused = tuple(unused_parts(specimen.model, untouched, specimen.root))
    if run.crash is None:
        lost = (*lost, *lost_rows(specimen, dark_rows(run.model)))
        run.numbers = {key: name for key, name in run.numbers.items() if name not in lacking}
    return GradientFlow(
        objective=specimen.objective,
        loss=run.loss,
        batch=construction.batch,
        length=construction.length,
        parameters=parameters,
        cuts=cuts,
        crash=run.crash,
        lost=lost,
        unused=unused,
        numbers=tuple(learnt_numbers(specimen, run.numbers)) if run.crash is None else (),
        in_place=None if run.crash is None else write_behind(run.crash, specimen, specimen.seed),
    )


PROBE = Probe(name="gradient-flow", order=20, measure=measure, fast=True)
