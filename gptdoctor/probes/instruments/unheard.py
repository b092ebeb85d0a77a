"""A loss that no parameter hears of: where it left the graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.core.measurements.labels import LossReading
from gptdoctor.probes.instruments.labelled_runs import LabelledRun, Text
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.labels import LabelsOf
from gptdoctor.specimen.specimen import Loss, OwnLoss, Specimen

_DEEPEST = 3  # an output in an output in a tuple


def with_cut(reading: LossReading, run: LabelledRun) -> LossReading:
    """The reading with the line after which nothing hears of the loss."""
    lineage = run.watch.lineage(run.loss)
    cut = lineage.cut if lineage is not None else None
    cut = cut or run.watch.numbers.get(run.loss.item())
    return reading if cut is None else replace(reading, cut=cut[0], cut_by=cut[1])


def with_lost_labels(reading: LossReading, run: LabelledRun) -> LossReading:
    """The same of a loss that moves with its labels, while its gradient comes from elsewhere.

    Unchanged where nothing was seen to leave the graph: a loss may be made of the hidden states.
    """
    cut = next(iter(run.watch.numbers.values()), None) or run.watch.first_cut
    return reading if cut is None else replace(reading, cut=cut[0], cut_by=cut[1])


def as_number(specimen: Specimen, labels: str, text: Text) -> OwnLoss:
    """The loss that the entry gives for its `labels` as a plain number."""

    def relabelled(labels_of: LabelsOf) -> Loss:
        def loss(model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
            given = text.given(labels_of(labels, text.read(inputs)))
            raw = specimen.call(model, {**inputs, labels: given}).raw
            number = next(_numbers(raw), None)
            if number is None:
                raise ValueError(f"no loss for its {labels}")
            return torch.tensor(number, dtype=torch.float64)

        return loss

    return OwnLoss(
        name=labels, run=relabelled(lambda _, ids: ids), labels=labels, relabelled=relabelled
    )


def asked_number(specimen: Specimen, recipe: Recipe, switch: str) -> OwnLoss:
    """The loss that the entry gives as a plain number where a `switch` asks for its loss."""

    def loss(model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
        raw = specimen.call(model, {**inputs, switch: True}).raw
        number = next(_numbers(raw), None)
        if number is None:
            raise ValueError(f"no loss for {switch}=True")
        return torch.tensor(number, dtype=torch.float64)

    call = f"run(model, ids, {switch}=True)"
    return OwnLoss(name=recipe.entry, run=loss, asked=True, call=call)


def _numbers(raw: Any, depth: int = 0) -> Iterator[float]:
    """The plain numbers in an output."""
    if isinstance(raw, float):
        yield raw
    elif depth < _DEEPEST and not isinstance(raw, Tensor):
        values = raw if isinstance(raw, tuple | list) else ()
        values = tuple(raw.values()) if isinstance(raw, Mapping) else values
        values = values or tuple(getattr(raw, "__dict__", {}).values())
        for value in values:
            yield from _numbers(value, depth + 1)
