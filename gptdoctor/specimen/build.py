"""A tiny instance of a model, and the calls that run it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import Any, NoReturn

from torch import Tensor, nn

from gptdoctor.core.measurements.construction import Construction, InputFact
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.specimen.call_expression import parse_call
from gptdoctor.specimen.calling import find_call
from gptdoctor.specimen.given_call import THE_CALL, GivenCall, find_given_call, is_rigid
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.instances import Instance, instances, refuses
from gptdoctor.specimen.objective import (
    OWN,
    SHIFTED,
    label_parameters,
    own_losses,
    without_own_loss,
)
from gptdoctor.specimen.outputs import describe
from gptdoctor.specimen.places import crash_of
from gptdoctor.specimen.specimen import OwnLoss, Specimen
from gptdoctor.specimen.trial import NoCallError, Trial, attempt


@dataclass(frozen=True, kw_only=True)
class _Called:
    """One instance with the best call that was found for it."""

    instance: Instance
    trial: Trial | None = None
    own: tuple[OwnLoss, ...] = ()
    crash: Crash | None = None
    note: str = ""  # why the call does not work

    @property
    def works(self) -> bool:
        return self.trial is not None and self.trial.works


def build_specimen(
    module: ModuleType, request: ExamineRequest
) -> tuple[Construction, Specimen | None]:
    """Build the model that `request` names from its loaded `module`, and find a call for it.

    There is a specimen wherever there is an instance, also where no call works: some probes need
    no forward pass.
    """
    candidates = instances(module, request)
    if request.call is not None:
        given = partial(parse_call, request.call, module=module, root=request.root)
        candidates = (replace(instance, call=given) for instance in candidates)
    return specimen_from(candidates, request)


def specimen_from(
    candidates: Iterable[Instance], request: ExamineRequest
) -> tuple[Construction, Specimen | None]:
    """The specimen of the first of some instances that can be called, with its call."""
    attempts: list[_Called] = []
    for instance in candidates:
        attempts.append(_called(instance, request))
        if attempts[-1].works:
            break
    # the first of equals: its sizes are the most telling ones
    best = max(attempts, key=lambda called: (called.works, called.instance.model is not None))
    notes = tuple(dict.fromkeys(each.note for each in attempts if each.note))
    construction = _construction(best, notes, request)
    model = best.instance.model
    return construction, None if model is None else _specimen(model, best, construction, request)


def _called(instance: Instance, request: ExamineRequest) -> _Called:
    """The instance with the best call that was found for it."""
    if instance.model is None:
        return _Called(instance=instance, crash=instance.crash, note=instance.note)
    entry = request.target.entry
    try:
        trial = _trial(instance.model, instance, request)
    except (
        NoCallError,
        AttributeError,
        ValueError,
        TypeError,
    ) as error:  # no such method, no signature
        called = entry if instance.call is None else f"{THE_CALL} cannot be made"
        return _Called(instance=instance, note=f"{called}: {error}")
    if not trial.works:
        return _uncalled(instance, trial, request)
    trial, own = _with_loss(instance.model, trial, request)
    return _Called(instance=instance, trial=trial, own=own)


def _trial(model: nn.Module, instance: Instance, request: ExamineRequest) -> Trial:
    """The best call: among those that can be guessed, or of the one that the user gave."""
    if instance.call is None:
        return find_call(model, request.target.entry, instance.vocabulary, request.seed)
    return find_given_call(model, instance.call(model), instance.vocabulary, request.seed)


def _uncalled(instance: Instance, trial: Trial, request: ExamineRequest) -> _Called:
    """The instance, with the reason why its call does not work."""
    call = trial.recipe.code(trial.batch, trial.length)
    call = call if instance.call is None else f"{THE_CALL}, {call}"
    if trial.error is None:
        raw = trial.outputs.raw if trial.outputs is not None else None
        shape = list(raw.shape) if isinstance(raw, Tensor) else type(raw).__name__
        note = f"{call} returned {shape}, not logits [B, T, V]"
        return _Called(instance=instance, trial=trial, note=note)
    crash = crash_of(trial.error, request.root, "forward")
    where = "" if crash.path is None else f" at {crash.path}:{crash.line}"
    note = f"{call}: {crash.kind}: {crash.message}{where}"
    blameless = crash.path is None or refuses(crash, trial.error) or _guessed(trial.recipe)
    return _Called(instance=instance, trial=trial, crash=None if blameless else crash, note=note)


def _guessed(recipe: Recipe) -> bool:
    """Whether an input is given of which we could only guess what it is."""
    if isinstance(recipe, GivenCall):
        return is_rigid(recipe)  # it may be that no sizes of ours go with what it holds
    known = ("ids", "flag", "mask", "positions", "labels")
    return not recipe.ids_sure or any(
        slot.required and slot.kind not in known for slot in recipe.slots
    )


def _with_loss(
    model: nn.Module, trial: Trial, request: ExamineRequest
) -> tuple[Trial, tuple[OwnLoss, ...]]:
    """The trial and the model's own loss; the ids alone where more inputs keep it from its loss."""
    inputs = trial.recipe.inputs(trial.batch, trial.length, request.seed)
    own = own_losses(model, trial.recipe, inputs, request.root)
    if isinstance(trial.recipe, GivenCall):
        return trial, own
    needed = {slot.name for slot in trial.recipe.slots if slot.required} | {trial.recipe.ids}
    forms = {name: form for name, form in trial.recipe.forms.items() if name in needed}
    if own or forms.keys() == trial.recipe.forms.keys():
        return trial, own
    recipe = replace(trial.recipe, forms=forms)
    plain = attempt(model, recipe, trial.batch, trial.length, request.seed)
    inputs = recipe.inputs(plain.batch, plain.length, request.seed)
    own = own_losses(model, recipe, inputs, request.root) if plain.works else ()
    return (plain, own) if own else (trial, ())


def _construction(best: _Called, notes: tuple[str, ...], request: ExamineRequest) -> Construction:
    """The measurement."""
    trial, model = best.trial, best.instance.model
    recipe = trial.recipe if trial is not None else None
    batch, length = (trial.batch, trial.length) if trial is not None else (0, 0)
    parameters = () if model is None else model.parameters()
    return Construction(
        outcome="built" if best.works else "crashed" if best.crash is not None else "not-built",
        build=best.instance.code,
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


def _returns(best: _Called) -> str:
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


def _specimen(
    model: nn.Module, best: _Called, construction: Construction, request: ExamineRequest
) -> Specimen:
    """The specimen; where no call was found, one whose calls say so."""
    made = partial(
        Specimen,
        model=model,
        target=replace(request.target, entry=construction.entry),
        root=request.root,
        seed=request.seed,
        construction=construction,
        objective=OWN if best.own else SHIFTED,
        own_losses=best.own,
    )
    if best.trial is None:

        def refuse(*_: Any) -> NoReturn:
            raise NoCallError(best.note)

        return made(make_inputs=refuse, call=refuse, loss=refuse)
    recipe = best.trial.recipe
    loss = best.own[0].run if best.own else without_own_loss(recipe)
    return made(
        make_inputs=recipe.inputs,
        call=recipe.call,
        loss=loss,
        batch_dimensions=recipe.batch_dimensions(),
        only_at=recipe.only_at if isinstance(recipe, GivenCall) else "",
    )
