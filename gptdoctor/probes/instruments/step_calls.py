"""The model as its own training step calls it: with the masks that the step makes for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.outputs import arrange, logits_in
from gptdoctor.specimen.roles import kind_of, signature_of
from gptdoctor.specimen.specimen import Outputs, OwnLoss, Specimen


@dataclass(frozen=True)
class _EntryCall:
    """One call of the entry that a step made."""

    given: Mapping[str, Any]
    returned: Any


@contextmanager
def _entry_calls(model: nn.Module, entry: str) -> Iterator[list[_EntryCall]]:
    """While active, all calls of the entry of `model`."""
    calls: list[_EntryCall] = []
    run: Callable[..., Any] = signature_of(model, entry)
    signature = inspect.signature(run)

    def watched(*args: Any, **kwargs: Any) -> Any:
        returned = run(*args, **kwargs)
        calls.append(_EntryCall(signature.bind(*args, **kwargs).arguments, returned))
        return returned

    had = vars(model).get(entry)
    setattr(model, entry, watched)
    try:
        yield calls
    finally:
        if had is None:
            delattr(model, entry)
        else:
            setattr(model, entry, had)


Call = Callable[[nn.Module, Mapping[str, Any]], Outputs]


def masking_step(specimen: Specimen) -> tuple[str, Call] | None:
    """The method whose loss trains the model, and which makes a mask over pairs of positions.

    With the call of a model that gives what the entry returns to it, for the usual inputs.  None:
    the model is trained with no other mask than the known call gives it.
    """
    recipe = specimen.recipe
    steps = (own for own in specimen.own_losses if own.promised and own.heard)
    if recipe is None or not any(kind_of(slot.name) == "mask" for slot in recipe.slots):
        return None
    for own in steps:
        model, inputs = specimen.copy(), specimen.inputs()
        specimen.reseed()
        try:
            with _entry_calls(model, recipe.entry) as calls:
                own.run(model, inputs)
        except FAILURES:
            continue
        if len(calls) == 1 and any(_is_pairwise(*each) for each in calls[0].given.items()):
            return own.name, _as_called_by(own, recipe)
    return None


def _is_pairwise(name: str, value: Any) -> bool:
    """Whether an argument is a mask [.., T, T]."""
    matrix = isinstance(value, Tensor) and value.dim() > 1 and value.shape[-1] == value.shape[-2]
    return matrix and value.shape[-1] > 1 and kind_of(name) == "mask"


def _as_called_by(own: OwnLoss, recipe: Recipe) -> Call:
    def call(model: nn.Module, inputs: Mapping[str, Any]) -> Outputs:
        with _entry_calls(model, recipe.entry) as calls:
            loss = own.run(model, inputs)
        last = calls[-1]
        layout = recipe.layout({**inputs, recipe.ids: last.given[recipe.ids]})
        found = logits_in(last.returned, layout)
        logits = None if found is None else arrange(found[1], layout)
        return Outputs(logits=logits, loss=loss, raw=last.returned)

    return call
