"""An instance with the call that runs it, or the reason why none does."""

from __future__ import annotations

import dis
import inspect
from dataclasses import dataclass, replace
from itertools import takewhile
from time import monotonic

from torch import Tensor, nn

from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.specimen.calling import find_call
from gptdoctor.specimen.class_labels import wants_other_labels
from gptdoctor.specimen.given_call import THE_CALL, GivenCall, find_given_call, is_rigid
from gptdoctor.specimen.given_shares import required_labels
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.instances import Instance, refuses
from gptdoctor.specimen.objective import own_losses
from gptdoctor.specimen.places import crash_of, innermost
from gptdoctor.specimen.preparations import prepared
from gptdoctor.specimen.specimen import OwnLoss
from gptdoctor.specimen.surroundings import lacking
from gptdoctor.specimen.trial import NoCallError, Trial, attempt
from gptdoctor.specimen.without_weights import lacks_weights, why_not_run

# Of the time, for further calls of one instance when the first have failed: there are seven
# instances and more.
_PART_OF_THE_TIME = 1 / 10
_UNCALLED = (NoCallError, AttributeError, ValueError, TypeError)  # no such method, no signature


@dataclass(frozen=True, kw_only=True)
class Called:
    """One instance with the best call that was found for it."""

    instance: Instance
    trial: Trial | None = None
    own: tuple[OwnLoss, ...] = ()
    crash: Crash | None = None
    note: str = ""  # why the call does not work
    error: str = ""  # with which it failed
    lack: str = ""  # what this machine lacks for it

    @property
    def works(self) -> bool:
        """Whether there is a call that runs the instance."""
        return self.trial is not None and self.trial.runs


def called(instance: Instance, request: ExamineRequest) -> Called:
    """The instance with the best call that was found for it, made ready where it wants that."""
    seconds = request.timeout_seconds * _PART_OF_THE_TIME
    deadline = monotonic() + seconds
    first = _called(instance, request, seconds)
    if first.works or instance.call is not None:
        return first
    in_time = takewhile(lambda _: monotonic() < deadline, prepared(instance, request.root))
    # What is ready takes the usual shape: it need not be tried in all of them.
    ready = (_called(each, request, 0.0) for each in in_time)
    return next((each for each in ready if each.works), first)


def _called(instance: Instance, request: ExamineRequest, seconds: float) -> Called:
    """The instance as it is, with the best call that was found for it in so many `seconds`."""
    if instance.model is None:
        lack, note = instance.lack, instance.note
        return Called(instance=instance, crash=instance.crash, note=note, lack=lack)
    if lacks_weights(instance.model):  # there is nothing to be measured
        why = why_not_run(instance.model)
        note = f"{instance.code}: {why}"
        return Called(instance=replace(instance, model=None), note=note, error=why)
    entry = request.target.entry
    try:
        trial = _trial(instance.model, instance, request, seconds)
    except _UNCALLED as error:
        tried = entry if instance.call is None else f"{THE_CALL} cannot be made"
        return Called(instance=instance, note=f"{tried}: {error}")
    if not trial.runs:
        return _uncalled(instance, trial, request)
    trial, own = _with_loss(instance.model, trial, request)
    return Called(instance=instance, trial=trial, own=own)


def _trial(model: nn.Module, instance: Instance, request: ExamineRequest, seconds: float) -> Trial:
    """The best call: among those that can be guessed or are shown, or of the one that is given."""
    if instance.call is not None:
        return find_given_call(model, instance.call(model), instance.vocabulary, request.seed)
    trial, error = None, None
    try:
        trial = find_call(model, request.target.entry, instance.vocabulary, request.seed, seconds)
    except _UNCALLED as caught:
        error = caught
    if trial is None or not trial.runs:
        trial = _shown(model, instance, request) or trial
    if trial is None:
        raise error or NoCallError("no call was found")
    return trial


def _shown(model: nn.Module, instance: Instance, request: ExamineRequest) -> Trial | None:
    """A call that works as one of the user's own demonstrations makes it."""
    for supply in () if instance.shown is None else instance.shown():
        try:
            trial = find_given_call(model, supply(model), instance.vocabulary, request.seed)
        except _UNCALLED:
            continue
        if trial.works:
            return trial
    return None


def _uncalled(instance: Instance, trial: Trial, request: ExamineRequest) -> Called:
    """The instance, with the reason why its call does not work."""
    call = trial.recipe.code(trial.batch, trial.length)
    call = call if instance.call is None else f"{THE_CALL}, {call}"
    if trial.error is None:
        raw = trial.outputs.raw if trial.outputs is not None else None
        shape = list(raw.shape) if isinstance(raw, Tensor) else type(raw).__name__
        note = f"{call} returned {shape}, not logits [B, T, V]"
        return Called(instance=instance, trial=trial, note=note)
    crash = crash_of(trial.error, request.root, "forward")
    where = "" if crash.path is None else f" at {crash.path}:{crash.line}"
    error = f"{crash.kind}: {crash.message}{where}"
    failed = Called(instance=instance, trial=trial, note=f"{call}: {error}", error=error)
    lack = lacking(trial.error, crash)
    if lack:
        return replace(failed, lack=lack)
    blameless = crash.path is None or refuses(crash, trial.error) or _guessed(trial.recipe)
    blameless = blameless or instance.guessed or _labelled_wrong(trial)
    blameless = blameless or _left_out(trial.error) or _unprepared(trial.error)
    return replace(failed, crash=None if blameless else crash)


def _labelled_wrong(trial: Trial) -> bool:
    """Whether labels that must be given were refused, of which nothing told the form."""
    recipe, error = trial.recipe, trial.error
    if isinstance(recipe, GivenCall) or error is None:
        return False
    return bool(required_labels(recipe)) and wants_other_labels(error, recipe.vocabularies)


def _left_out(error: BaseException) -> bool:
    """Whether the crash is at a part that a constructor may be given and was not: it is None."""
    frame = innermost(error)
    if frame is None or "NoneType" not in str(error):
        return False
    owner = frame.f_locals.get("self")
    if not isinstance(owner, nn.Module):
        return False
    optional = {
        name
        for name, parameter in inspect.signature(type(owner)).parameters.items()
        if parameter.default is None and getattr(owner, name, frame) is None
    }
    return not optional.isdisjoint(frame.f_code.co_names)


def _unprepared(error: BaseException) -> bool:
    """Whether a module lacks what a method of its own would have set, had anybody called it."""
    if not isinstance(error, AttributeError) or not isinstance(error.obj, nn.Module):
        return False
    return any(
        line.opname == "STORE_ATTR" and line.argval == error.name
        for name, method in inspect.getmembers(type(error.obj), inspect.isfunction)
        if name not in ("__init__", "forward")
        for line in dis.get_instructions(inspect.unwrap(method))
    )


def _guessed(recipe: Recipe) -> bool:
    """Whether an input is given of which we could only guess what it is."""
    if isinstance(recipe, GivenCall):
        return is_rigid(recipe)  # it may be that no sizes of ours go with what it holds
    known = ("ids", "flag", "mask", "positions", "labels")
    return (
        recipe.holder is not None
        or not recipe.ids_sure
        or any(slot.required and slot.kind not in known for slot in recipe.slots)
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
    own = own_losses(model, recipe, inputs, request.root) if plain.runs else ()
    return (plain, own) if own else (trial, ())
