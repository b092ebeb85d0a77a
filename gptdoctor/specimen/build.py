"""A tiny instance of a model, and the calls that run it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from time import monotonic
from types import ModuleType
from typing import Any, NoReturn

from torch import nn

from gptdoctor.core.measurements.construction import Construction, InputFact, SizedCrash
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.specimen.call_expression import parse_call
from gptdoctor.specimen.called import Called, called
from gptdoctor.specimen.demonstrated import calls_of, consulted
from gptdoctor.specimen.exchanged_rows import exchanged_rows
from gptdoctor.specimen.failing_sizes import Make, failures_of
from gptdoctor.specimen.full_sizes import full_sizes
from gptdoctor.specimen.given_call import GivenCall
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.instances import Instance, instance_like, instances
from gptdoctor.specimen.objective import (
    EXCHANGED,
    OWN,
    SHIFTED,
    label_parameters,
    without_own_loss,
)
from gptdoctor.specimen.on_device import CPU, accelerator, bridge, device_of
from gptdoctor.specimen.outputs import describe
from gptdoctor.specimen.own_lines import own_lines
from gptdoctor.specimen.reach import imports_for
from gptdoctor.specimen.reading import readings
from gptdoctor.specimen.remade import remade, remade_code
from gptdoctor.specimen.specimen import Specimen
from gptdoctor.specimen.trial import NoCallError, Trial
from gptdoctor.specimen.variants import VARIANTS
from gptdoctor.specimen.without_weights import lacks_weights

# Further sets of sizes are tried until so much of the time is gone: the rest is for the probes,
# and a reason that is told in time says more than a time-out.
_MOST_OF_THE_TIME = 1 / 3


def build_specimen(
    module: ModuleType, request: ExamineRequest
) -> tuple[Construction, Specimen | None]:
    """Build the model that `request` names from its loaded `module`, and find a call for it.
    There is a specimen wherever there is an instance, also where no call works: some probes need
    no forward pass.
    """
    call = None
    if request.call is not None:
        call = partial(parse_call, request.call, module=module, root=request.root)
    candidates = (
        replace(
            on_accelerator(one) if request.devices else one,
            call=call,
            shown=partial(calls_of, module, request, one.variant or VARIANTS[0]),
            imports=imports_for(one.code, module, request.root),
        )
        for one in instances(module, request)
    )

    def make(instance: Instance, changes: Mapping[str, int]) -> Instance:
        made = instance_like(instance, changes, module, request)
        return on_accelerator(made) if request.devices else made

    construction, specimen = specimen_from(candidates, request, make)
    if specimen is not None:
        offer = partial(full_sizes, module, request, specimen.changes)
        specimen = replace(specimen, full_sizes=offer)
    return construction, specimen


def on_accelerator(instance: Instance) -> Instance:
    """The instance on the accelerator of this machine, where the user trains it, if it has one."""
    device = accelerator()
    if instance.model is None or device == CPU or lacks_weights(instance.model):
        return instance
    is_there = device_of(instance.model).type == device.type
    model = instance.model if is_there else instance.model.to(device)
    bridge(model)
    code = instance.code if is_there else f"{instance.code}.to({device.type!r})"
    return replace(instance, model=model, code=code)


def specimen_from(
    candidates: Iterable[Instance], request: ExamineRequest, make: Make | None = None
) -> tuple[Construction, Specimen | None]:
    """The specimen of the first of some instances that can be called, with its call.

    `make` makes another instance with certain sizes, where there can be others.
    """
    attempts: list[Called] = []
    deadline = monotonic() + request.timeout_seconds * _MOST_OF_THE_TIME
    for instance in candidates:
        attempts.append(called(instance, request))
        if attempts[-1].works or monotonic() > deadline:
            break
    # the first of equals: its sizes are the most telling ones
    best = max(attempts, key=lambda one: (one.works, one.instance.model is not None))
    notes = _notes(attempts)
    failures = failures_of(attempts, best, make, request)
    for change in best.instance.changes:  # it may read them when it runs
        change.make()
    construction = _construction(best, notes, failures, request)
    model = best.instance.model
    if model is None:
        return construction, None
    specimen = _specimen(model, best, construction, request)
    if make is None or best.instance.variant is None:
        return construction, specimen
    return construction, replace(
        specimen,
        remade=partial(remade, best.instance, make),
        remade_code=partial(remade_code, best.instance, make),
    )


def _notes(attempts: Iterable[Called]) -> tuple[str, ...]:
    """Why the attempts came to nothing; of calls that fail alike the first is enough."""
    notes: dict[str, str] = {}
    for each in attempts:
        if each.note:
            notes.setdefault(each.error or each.note, each.note)
    return tuple(notes.values())


def _construction(
    best: Called,
    notes: tuple[str, ...],
    failures: tuple[SizedCrash, ...],
    request: ExamineRequest,
) -> Construction:
    """The measurement."""
    trial, model = best.trial, best.instance.model
    recipe = trial.recipe if trial is not None else None
    batch, length = (trial.batch, trial.length) if trial is not None else (0, 0)
    parameters = () if model is None else model.parameters()
    return Construction(
        outcome="built" if best.works else "crashed" if best.crash is not None else "not-built",
        build=best.instance.code,
        imports=best.instance.imports,
        read=consulted(request.root),
        call=recipe.code(batch, length) if recipe is not None else "",
        entry=request.target.entry if recipe is None else recipe.entry,
        parameters=sum(parameter.numel() for parameter in parameters),
        vocabulary=_vocabulary(trial),
        batch=batch,
        length=length,
        inputs=recipe.facts(batch, length) if recipe is not None else (),
        optional_inputs=_optional(recipe, batch, length) if recipe is not None else (),
        returns=_returns(best),
        crash=best.crash,
        tried=notes,
        sizes=best.instance.sizes,
        failures=failures,
        expression=recipe.expression() if recipe is not None else "",
        lack=best.lack,
        own_lines=own_lines(model),
        **readings(best),
    )


def _vocabulary(trial: Trial | None) -> int:
    """V of the logits, or the number of ids where there are none."""
    if trial is None:
        return 0
    logits = trial.outputs.logits if trial.outputs is not None else None
    return trial.recipe.ids_below if logits is None else logits.shape[-1]


def _optional(recipe: Recipe, batch: int, length: int) -> tuple[InputFact, ...]:
    """What the entry also takes: in the shape in which it is given, if it is."""
    given = {fact.name: fact for fact in recipe.facts(batch, length)}
    return tuple(
        given.get(slot.name, InputFact(name=slot.name, kind=slot.kind, shape=()))
        for slot in recipe.slots
        if not slot.required and slot.kind != "flag" and slot.name != recipe.ids
    )


def _returns(best: Called) -> str:
    """What the entry returns, in words."""
    outputs = best.trial.outputs if best.trial is not None else None
    if best.trial is None or outputs is None or not best.works:
        return "nothing usable"
    recipe = best.trial.recipe
    inputs = recipe.inputs(best.trial.batch, best.trial.length, 0)
    named = (*label_parameters(recipe), recipe.entry)
    with_loss = any(own.name in named for own in best.own)
    path = recipe.logits_path(outputs.raw, inputs)
    return describe(outputs.raw, path, with_loss, last_only=not best.trial.full)


def _has_logits(best: Called) -> bool:
    """Whether the call gives logits, or else fails, in which case it may promise them."""
    outputs = best.trial.outputs if best.trial is not None else None
    return outputs is None or outputs.features is None


def _specimen(
    model: nn.Module, best: Called, construction: Construction, request: ExamineRequest
) -> Specimen:
    """The specimen; where no call was found, one whose calls say so."""
    own = [each for each in best.own if each.heard]
    made = partial(
        Specimen,
        model=model,
        target=replace(request.target, entry=construction.entry),
        root=request.root,
        seed=request.seed,
        construction=construction,
        objective=OWN if own else SHIFTED if _has_logits(best) else EXCHANGED,
        own_losses=best.own,
        changes=best.instance.changes,
    )
    if best.trial is None:

        def refuse(*_: Any) -> NoReturn:
            raise NoCallError(best.note)

        return made(make_inputs=refuse, call=refuse, loss=refuse)
    recipe = best.trial.recipe
    bare = exchanged_rows(model, recipe) if not _has_logits(best) else None
    loss = own[0].run if own else bare or without_own_loss(recipe)
    return made(
        make_inputs=recipe.inputs,
        call=recipe.call,
        loss=loss,
        recipe=None if isinstance(recipe, GivenCall) else recipe,
        batch_dimensions=recipe.batch_dimensions(),
        only_at=recipe.only_at if isinstance(recipe, GivenCall) else "",
    )
