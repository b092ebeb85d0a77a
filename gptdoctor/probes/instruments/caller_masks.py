"""Whether a mask that the caller may give hides the future, where the call without it shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.probes.instruments.steady import Steady
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.specimen import Outputs, Specimen

_DIMENSIONS = (2, 3, 4)  # [T, T], [1, T, T], [1, 1, T, T]


def causal_masks(length: int) -> Iterator[Tensor]:
    """Causal masks over T = `length` positions in the forms that attentions take.

    True or 1 for what is seen, True for what is hidden (torch's own layers), and what is added to
    the scores; each as [T, T], [1, T, T] and [1, 1, T, T].
    """
    seen = torch.ones(length, length, dtype=torch.bool).tril()
    added = torch.zeros(length, length).masked_fill(~seen, -torch.inf)
    for mask in (seen, ~seen, added, seen.long()):
        for dimensions in _DIMENSIONS:
            yield mask.reshape(*[1] * (dimensions - 2), length, length)


def caller_mask(steady: Steady, length: int, hides: Callable[[Steady], bool]) -> str:
    """The optional input that hides the future if a causal mask is given as it; "": none does.

    `hides` says of a way to call the model whether its outputs move with earlier tokens alone.
    What takes a mask over the tokens [B, T] is about padding: to be causal is not left to it.
    """
    for name in _optional_masks(steady.specimen):
        if any(_runs(steady, name, mask, length) for mask in _token_masks(length)):
            continue
        for mask in causal_masks(length):
            given = _given(steady, name, mask)
            try:
                if hides(given):
                    return name
            except FAILURES:
                continue  # not a form that it takes
    return ""


def _optional_masks(specimen: Specimen) -> Iterator[str]:
    given = {fact.name for fact in specimen.construction.inputs}
    for fact in specimen.construction.optional_inputs:
        if fact.kind == "mask" and fact.name not in given and "pad" not in fact.name:
            yield fact.name


def _token_masks(length: int) -> Iterator[Tensor]:
    """Masks over the tokens [B, T] that hide nothing."""
    for kind in (torch.long, torch.bool):
        yield torch.ones(_rows(length), length, dtype=kind)


def _rows(length: int) -> int:
    """A number of rows that is no number of positions."""
    return 2 if length != 2 else 3


def _runs(steady: Steady, name: str, mask: Tensor, length: int) -> bool:
    inputs = steady.specimen.make_inputs(_rows(length), length, steady.seed)
    try:
        _given(steady, name, mask).outputs(inputs)
    except FAILURES:
        return False
    return True


def _given(steady: Steady, name: str, mask: Tensor) -> Steady:
    def call(model: nn.Module, inputs: Mapping[str, Any]) -> Outputs:
        return steady.specimen.call(model, {**inputs, name: mask})

    return steady.like(steady.seed, steady.specimen.copy(), call=call)
