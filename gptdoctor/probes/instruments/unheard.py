"""A loss that no parameter hears of: where it left the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.core.measurements.labels import LossReading
from gptdoctor.probes.instruments.labelled_runs import LabelledRun, Text
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.labels import LabelsOf
from gptdoctor.specimen.loss_functions import loss_functions
from gptdoctor.specimen.loss_methods import (
    MethodCall,
    loss_methods,
    method_calls,
    promises_training,
)
from gptdoctor.specimen.objective import goes_back
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


def method_numbers(specimen: Specimen, recipe: Recipe) -> Iterator[OwnLoss]:
    """The losses that methods named for training give as plain numbers for labels or a batch."""
    for name, method in (
        *loss_methods(specimen.model, specimen.root),
        *loss_functions(specimen.model, specimen.root),
    ):
        if not (promises_training(name) or name.strip("_") == "shared_step"):
            continue

        def relabelled(
            index: int, labels_of: LabelsOf, name: str = name, method: Callable[..., Any] = method
        ) -> Loss:
            calls = method_calls(name, method, recipe, labels_of)
            return partial(_number_of, next(islice(calls, index, None)), recipe)

        for index, call in enumerate(method_calls(name, method, recipe)):
            if call.labelled:
                yield OwnLoss(
                    name=name,
                    run=partial(_number_of, call, recipe),
                    relabelled=partial(relabelled, index),
                    promised=True,
                    call="" if recipe.time_first else call.code,
                )


def _number_of(
    call: MethodCall, recipe: Recipe, model: nn.Module, inputs: Mapping[str, Any]
) -> Tensor:
    """The plain number that a method returns; of one that trains by itself it is a report."""
    before = [parameter._version for parameter in model.parameters()]
    number = next(_numbers(call.raw(recipe, model, inputs)), None)
    changed = [parameter._version for parameter in model.parameters()] != before
    if number is None or changed or goes_back(model):
        raise ValueError(f"no loss of {call.name}")
    return torch.tensor(number, dtype=torch.float64)


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
