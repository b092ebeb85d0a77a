"""At which sane sizes the user's code crashes, and which single size decides that.

An instance that works must not hide those that crash.  But a set of sizes may break a requirement
that nobody wrote down: a crash alone proves nothing.  So one size at a time is changed from the
specimen that works, and the same call is run again; only a crash that comes with that one change
is held against the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gptdoctor.core.measurements.construction import SizedCrash
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.specimen.called import Called
from gptdoctor.specimen.given_call import GivenCall, is_rigid
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.instances import Instance, refuses
from gptdoctor.specimen.places import crash_of
from gptdoctor.specimen.trial import SHAPES, Trial, attempt
from gptdoctor.specimen.variants import ONE_HEAD, VARIANTS
from gptdoctor.specimen.without_weights import lacks_weights

# Errors that tell of this machine, or of what torch has no code for, rather than of sizes.
_NOT_OF_SIZES = frozenset(
    {
        "NotImplementedError",
        "MemoryError",
        "OutOfMemoryError",
        "ImportError",
        "ModuleNotFoundError",
        "OSError",
        "RecursionError",
        "SystemExit",
    }
)
_BASE = VARIANTS[0].sizes
# As many keys as queries, in four heads: what is changed is the number of heads alone.
_FOUR_HEADS = {**ONE_HEAD, "heads": 4, "kv_heads": 4, "head_dim": 16, "half_head": 8}
_TWO_HEADS = {**ONE_HEAD, "heads": 2, "kv_heads": 2, "head_dim": 32, "half_head": 16}
# A head may want to be 64 wide, and a model as well: with twice the width both can stay.
_WIDE_HEAD = {**ONE_HEAD, "width": 128, "head_dim": 128, "half_head": 64}
_TWO_WIDE_HEADS = {**ONE_HEAD, "width": 128, "heads": 2, "kv_heads": 2}

# What becomes of the call with these sizes changed, be it with a text of another length.
_Try = Callable[..., "_Outcome"]
# Another instance like one, but for these sizes, by role.
Make = Callable[[Instance, Mapping[str, int]], Instance]


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What became of the specimen's own call on another instance, or at another batch."""

    instance: Instance
    trial: Trial | None
    crash: Crash | None  # of the user's code, and no refusal

    @property
    def works(self) -> bool:
        return self.trial is not None and self.trial.runs


def failures_of(
    attempts: Sequence[Called], best: Called, make: Make | None, request: ExamineRequest
) -> tuple[SizedCrash, ...]:
    """The crashes on the way to `best`: those of which one size is proven guilty come first."""
    proven: list[SizedCrash] = []
    # What a demonstration of the user's puts right was wrong in the arguments, not in the sizes.
    like = best.instance.demo if best.works else None
    crashed = [
        one for one in attempts if one.crash is not None and (not like or one.instance.demo is like)
    ]
    if best.works and best.trial is not None and _is_certain(best.trial.recipe):
        proven += _by_batch(best, best.trial, request)
        guessed = best.instance.variant is not None and best.instance.call is None
        one_length = best.trial.length in (1, best.instance.sizes.get("heads"))
        if (crashed or one_length) and make is not None and guessed:
            proven += _by_sizes(best, best.trial, make, request)
    told = {_place(one.crash) for one in proven}
    others = (_unproven(one, one.crash) for one in crashed if one.crash is not None)
    return (*proven, *(one for one in others if _place(one.crash) not in told))


def _is_certain(recipe: Recipe) -> bool:
    """Whether nothing is given of which the form was only guessed."""
    if isinstance(recipe, GivenCall):
        return not is_rigid(recipe)
    given = (slot for slot in recipe.slots if slot.name in recipe.forms)
    known = ("ids", "flag", "positions", "labels")
    return recipe.ids_sure and all(
        slot.kind in known or recipe.forms[slot.name].shape is None for slot in given
    )


def _place(crash: Crash) -> tuple[str | None, int | None]:
    return crash.path, crash.line


def _unproven(one: Called | _Outcome, crash: Crash) -> SizedCrash:
    """A crash of which no size is proven guilty."""
    trial = one.trial
    return SizedCrash(
        build=one.instance.code,
        call="" if trial is None else trial.recipe.code(trial.batch, trial.length),
        sizes=_sizes(one.instance, trial),
        crash=crash,
    )


def _sizes(instance: Instance, trial: Trial | None) -> dict[str, int]:
    called = {} if trial is None else {"batch": trial.batch, "length": trial.length}
    return {**instance.sizes, **called}


def _by_batch(best: Called, trial: Trial, request: ExamineRequest) -> Iterator[SizedCrash]:
    """The crash at another batch size, where the call works at one batch and not at the usual one.

    The length stays: many models want a certain one, and none wants a certain batch.
    """
    usual = SHAPES[0][0]
    if (trial.batch, trial.length) == SHAPES[0] or trial.length < 2:
        return
    batch = usual if trial.batch != usual else usual - 1
    outcome = _call(best.instance, replace(trial, batch=batch), request)
    if outcome.crash is not None:
        yield _proven(outcome, outcome.crash, "batch", trial.batch)


def _by_sizes(
    best: Called, trial: Trial, make: Make, request: ExamineRequest
) -> Iterator[SizedCrash]:
    """The crashes that come with a change of one size of the model that works."""
    sizes = best.instance.sizes

    def tried(changes: Mapping[str, int], length: int = trial.length) -> _Outcome:
        other = make(best.instance, changes)
        outcome = _call(other, replace(trial, length=length), request)
        for change in other.changes:
            change.undo()
        return outcome

    found: list[SizedCrash] = []
    if sizes.get("heads") == 1:
        found += _by_heads(tried)
    elif trial.length in (1, sizes.get("heads")):  # where nothing tells one from the other
        found += _by_heads_and_length(tried)
    yield from found
    if sizes.get("kv_heads", 1) != 1:
        yield from _by_one("kv_heads", sizes["kv_heads"], tried)
    if sizes.get("layers") == 1:
        # A function that is wrong with more heads may give one head's result a form of its own:
        # then the next layer fails at it, for the same reason.
        known = {(one.crash.path, one.crash.symbol) for one in found}
        for one in _by_one("layers", 1, tried):
            if (one.crash.path, one.crash.symbol) not in known:
                yield one


def _by_heads(tried: _Try) -> Iterator[SizedCrash]:
    """The crash with four heads, where neither the width of a head nor of the model explains it."""
    four = tried(_FOUR_HEADS)
    if four.crash is None or not tried(_WIDE_HEAD).works:
        return
    if tried(_TWO_WIDE_HEADS).crash is not None:
        yield _proven(four, four.crash, "heads", 1)


def _by_heads_and_length(tried: _Try) -> Iterator[SizedCrash]:
    """The crash with four heads and two tokens, where four and four work, and two and two.

    One is taken for the other: a model that wants a certain length wants it with any heads.
    """
    four, two = _FOUR_HEADS["heads"], _TWO_HEADS["heads"]
    outcome = tried(_FOUR_HEADS, two)
    if outcome.crash is None or not tried(_FOUR_HEADS, four).works:
        return
    if tried(_TWO_HEADS, two).works:
        yield _proven(outcome, outcome.crash, "heads", two)


def _by_one(role: str, works_at: int, tried: _Try) -> Iterator[SizedCrash]:
    """The crash with the usual number of `role`, all else being as it works."""
    outcome = tried({role: _BASE[role]})
    if outcome.crash is not None and _BASE[role] != works_at:
        yield _proven(outcome, outcome.crash, role, works_at)


def _proven(outcome: _Outcome, crash: Crash, decisive: str, works_at: int) -> SizedCrash:
    return replace(_unproven(outcome, crash), decisive=decisive, works_at=works_at)


def _call(instance: Instance, trial: Trial, request: ExamineRequest) -> _Outcome:
    """Run the call of `trial` on `instance`."""
    if instance.model is None or lacks_weights(instance.model):
        return _Outcome(instance=instance, trial=None, crash=_of_sizes(instance.crash))
    again = attempt(instance.model, trial.recipe, trial.batch, trial.length, request.seed)
    crash = None
    if again.error is not None:
        crash = crash_of(again.error, request.root, "forward")
        crash = None if crash.path is None or refuses(crash, again.error) else _of_sizes(crash)
    return _Outcome(instance=instance, trial=again, crash=crash)


def _of_sizes(crash: Crash | None) -> Crash | None:
    """The crash, unless it tells of something else than sizes."""
    return None if crash is None or crash.kind in _NOT_OF_SIZES else crash
