"""A call that the user gave: an expression, or tensors of his own.

It serves wherever a guessed `Recipe` does.  What it gives for other batches, lengths and seeds is
asked of its `Supply`; one that holds tensors of fixed sizes works at those alone, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from gptdoctor.core.measurements.construction import InputFact
from gptdoctor.specimen.forms import Form
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.meeting import Meeting
from gptdoctor.specimen.roles import Slot, continued
from gptdoctor.specimen.trial import SHAPES, NoCallError, Trial, attempt, run_quietly, within_logits

THE_CALL = "the call that you gave"  # as reasons name it
# B and T to compare the shapes with: primes unlike all of `SHAPES`.
_OTHER_SIZES = (11, 13)
_PLAIN = (bool, str, bytes, float, type(None))


class Supply(Protocol):
    """Where the inputs of a given call come from."""

    @property
    def entry(self) -> str:
        """The method that is called: "forward" where it is the model itself."""

    @property
    def text(self) -> str:
        """The call as `--call` takes it; "" where it is made of values."""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The parameters of the entry."""

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """B and T that its own tensors suggest, to be tried before the usual ones."""

    def inputs(self, batch: int, length: int, seed: int, below: int) -> dict[str, Any]:
        """The inputs by parameter; raises NoCallError where there are none of these sizes.

        `below`: ids are drawn from 0 up to this, exclusive.
        """

    def run(self, model: nn.Module, inputs: Mapping[str, Any]) -> Any:
        """Call the entry of `model` with `inputs`, in which values may have been exchanged."""

    def code(self, batch: int, length: int, below: int) -> str:
        """The call as code that a user can paste behind `model = ...`."""


@dataclass(frozen=True, kw_only=True)
class GivenCall(Recipe):
    """How the entry is called, by the user's own words; `forms` tell the shapes of the inputs."""

    supply: Supply
    only_at: str = ""  # why it works at its own sizes alone; "": at all sizes
    words: int | None = None  # ids that are given are below this; None: below `ids_below`

    def inputs(self, batch: int, length: int, seed: int) -> dict[str, Any]:
        """The keyword arguments of the entry for B = `batch` and T = `length`, without labels."""
        made = self.supply.inputs(batch, length, seed, self.words or self.ids_below)
        return {name: value for name, value in made.items() if name != self.labels}

    def run(self, model: nn.Module, inputs: Mapping[str, Any]) -> Any:
        """Call the entry and give what it returns."""
        return self.supply.run(model, inputs)

    def batch_dimensions(self) -> dict[str, int]:
        """Which dimension of each input counts the batch."""
        return {
            name: form.shape.index("B")
            for name, form in self.forms.items()
            if form.shape is not None and "B" in form.shape
        }

    def _fact(self, slot: Slot, batch: int, length: int) -> InputFact:
        kind = "other" if slot.kind == "flag" else slot.kind
        shape = self.forms[slot.name].sizes(batch, length)
        return InputFact(name=slot.name, kind=kind, shape=shape)

    def code(self, batch: int, length: int) -> str:
        """The call as code that a user can paste behind `model = ...`."""
        return self.supply.code(batch, length, self.words or self.ids_below)

    def within(self, words: int) -> Self:
        """The call, giving no ids from `words` on, though the embedding may know some."""
        return replace(self, words=min(words, self.ids_below))

    def expression(self, without: str = "") -> str:
        """The call as the user wrote it, with all that it names."""
        return self.supply.text


def find_given_call(model: nn.Module, supply: Supply, vocabulary: int, seed: int) -> Trial:
    """What becomes of the given call at the first sizes that it works at, else at the first.

    Raises NoCallError where it cannot be made, or gives the model no ids.
    """
    trials: list[Trial] = []
    refusal: NoCallError | None = None
    for batch, length in dict.fromkeys((*supply.sizes, *SHAPES)):
        try:
            call = _call(model, supply, vocabulary, (batch, length), seed)
        except NoCallError as error:
            refusal = refusal or error
            continue
        trials.append(attempt(model, call, batch, length, seed))
        if trials[-1].full:
            break
    if not trials:
        raise refusal or NoCallError("it works at no sizes")
    best = max(trials, key=lambda trial: (trial.full, trial.works))  # the first of equals
    best = within_logits(best)
    return _with_limits(model, best, seed) if best.works else best


def _call(
    model: nn.Module, supply: Supply, vocabulary: int, sizes: tuple[int, int], seed: int
) -> GivenCall:
    """The call as its inputs at B and T `sizes` tell it."""
    inputs = supply.inputs(*sizes, seed, vocabulary)
    ids = _ids_in(inputs, supply.slots)
    slots = tuple(_slots(supply.slots, ids, inputs))
    labels = [slot.name for slot in slots if slot.kind == "labels" and slot.name in inputs]
    call = GivenCall(
        entry=supply.entry,
        slots=slots,
        forms=_forms(supply, inputs, sizes, seed, vocabulary, frozenset(labels)),
        ids=ids,
        ids_below=vocabulary,
        vocabularies=frozenset({vocabulary}),
        ids_sure=True,
        time_first=_is_turned(inputs[ids], sizes),
        labels=next((name for name in labels if _like(inputs[name], inputs[ids])), None),
        supply=supply,
    )
    return _with_vocabulary(model, call, sizes, seed)


def _slots(slots: tuple[Slot, ...], ids: str, inputs: Mapping[str, Any]) -> Iterator[Slot]:
    """The slots with the ids taken for ids whatever they are called, and one for each input."""
    known = {slot.name for slot in slots}
    for slot in slots:
        yield replace(slot, kind="ids") if slot.name == ids else slot
    for name in inputs:
        if name not in known:  # `*inputs`, `**kwargs`
            kind = "ids" if name == ids else "other"
            yield Slot(name=name, kind=kind, required=False, annotation="")


def _ids_in(inputs: Mapping[str, Any], slots: tuple[Slot, ...]) -> str:
    """The input that the logits continue: whole numbers, and called as ids are."""
    whole = [name for name, value in inputs.items() if _is_whole(value)]
    named = continued(tuple(slot for slot in slots if slot.name in whole))
    if named is not None:
        return named.name
    kinds = {slot.name: slot.kind for slot in slots}
    usable = [name for name in whole if kinds.get(name) not in ("labels", "mask", "positions")]
    if not usable:
        raise NoCallError("none of its inputs are token ids (whole numbers, [B, T])")
    return usable[0]


def _is_whole(value: Any) -> bool:
    whole = isinstance(value, Tensor) and value.dtype in (torch.int64, torch.int32)
    return whole and value.dim() in (1, 2)


def _like(value: Any, ids: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == ids.shape


def _is_turned(ids: Tensor, sizes: tuple[int, int]) -> bool:
    """Whether the ids are [T, B]."""
    return sizes[0] != sizes[1] and tuple(ids.shape) == sizes[::-1]


def _forms(
    supply: Supply,
    inputs: Mapping[str, Any],
    sizes: tuple[int, int],
    seed: int,
    below: int,
    left_out: frozenset[str],
) -> dict[str, Form]:
    """The shapes of the inputs, with the dimensions that follow B and T, as other sizes show."""
    try:
        others = supply.inputs(*_OTHER_SIZES, seed, below)
    except NoCallError:
        others = {}
    return {
        name: _form(value, others.get(name, value), sizes, own=not others)
        for name, value in inputs.items()
        if name not in left_out
    }


def _form(value: Any, other: Any, sizes: tuple[int, int], *, own: bool) -> Form:
    if not isinstance(value, Tensor) or not isinstance(other, Tensor):
        return Form(shape=None, constant=value)
    if other.dim() != value.dim():
        return Form(shape=tuple(value.shape))
    pairs = list(zip(value.shape, other.shape, strict=True))
    if own:  # nothing but the sizes themselves tells which dimension is which
        first = ("B",) if pairs and pairs[0][0] == sizes[0] else ()
        return Form(shape=(*first, *(size for size, _ in pairs[len(first) :])))
    names: dict[tuple[int, int], str] = {
        (sizes[1], _OTHER_SIZES[1]): "T",
        (sizes[0], _OTHER_SIZES[0]): "B",
    }
    return Form(shape=tuple(names.get(pair, pair[0]) for pair in pairs))


def _with_vocabulary(
    model: nn.Module, call: GivenCall, sizes: tuple[int, int], seed: int
) -> GivenCall:
    """The call with as many ids as the embedding knows that they meet."""
    inputs = call.inputs(*sizes, seed)
    inputs[call.ids] = inputs[call.ids] % 2  # every embedding knows these
    meeting = Meeting(inputs[call.ids])
    run_quietly(model, call, inputs, meeting)
    met = meeting.operation == "embedding" and meeting.width > 1
    below = meeting.width if met else call.ids_below
    heads = (module for module in model.modules() if isinstance(module, nn.Linear))
    widths = {head.out_features for head in heads if head.out_features >= below}
    # An embedding may have rows for more than words.
    known = frozenset({below, call.ids_below, *widths})
    return replace(call, ids_below=below, vocabularies=known)


def _with_limits(model: nn.Module, trial: Trial, seed: int) -> Trial:
    """The trial, told whether its call works at other sizes, too.

    Where it does not, and something was given that stays the same at all sizes, that is the
    reason, and no fault of the model's.
    """
    call = trial.recipe
    if not isinstance(call, GivenCall):
        return trial
    for batch, length in ((2, 11), (5, 5)):
        other = attempt(model, call, batch, length, seed)
        if isinstance(other.error, NoCallError) or (not other.works and is_rigid(call)):
            reason = f"its call holds tensors of B={trial.batch}, T={trial.length} alone"
            return replace(trial, recipe=replace(call, only_at=reason))
    return trial


def is_rigid(call: GivenCall) -> bool:
    """Whether an input is given whose value or shape is the same at all sizes."""
    for form in call.forms.values():
        if form.shape is None:
            if not isinstance(form.constant, _PLAIN) and not _is_zero(form.constant):
                return True
        elif form.shape and not {"B", "T"} & set(form.shape):
            return True
    return False


def _is_zero(value: Any) -> bool:
    return isinstance(value, int) and value == 0
