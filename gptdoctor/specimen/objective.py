"""The loss to train a specimen with: the model's own where it has one, else cross-entropy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gptdoctor.specimen.class_labels import CLASS_LABELS, ClassLabels, shares_of
from gptdoctor.specimen.duplicate import duplicate_to_train
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.kept_losses import kept_loss
from gptdoctor.specimen.label_conventions import convention_of
from gptdoctor.specimen.labels import LabelsOf, labels_for, text_of
from gptdoctor.specimen.loss_functions import loss_functions
from gptdoctor.specimen.loss_methods import (
    BATCH_LABELS,
    label_parameter,
    loss_methods,
    method_calls,
    promises_loss,
)
from gptdoctor.specimen.roles import asks_for_loss
from gptdoctor.specimen.specimen import Loss, OwnLoss

OWN = "own loss"
SHIFTED = "shifted cross-entropy"
EXCHANGED = "exchanged rows"


def shifted_cross_entropy(logits: Tensor, ids: Tensor) -> Tensor:
    """The mean loss, in nats, of logits [B, T, V] that predict the next of ids [B, T].

    Logits of one position [B, 1, V] have no next token: they are to name the first one.
    """
    if logits.shape[1] < 2:
        return functional.cross_entropy(logits[:, 0], ids[:, 0])
    predicted = logits[:, :-1].flatten(0, 1)  # [B * (T - 1), V]
    return functional.cross_entropy(predicted, ids[:, 1:].flatten())


def without_own_loss(recipe: Recipe) -> Loss:
    """Shifted cross-entropy of the logits against the ids."""

    def loss(model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
        logits = recipe.call(model, inputs).logits
        if logits is None:
            raise ValueError(f"{recipe.entry} returned nothing that could be logits [B, T, V]")
        return shifted_cross_entropy(logits, text_of(recipe, inputs))

    return loss


def label_parameters(recipe: Recipe) -> tuple[str, ...]:
    """The parameters of the entry that take labels."""
    return tuple(slot.name for slot in recipe.slots if slot.kind == "labels")


def own_losses(
    model: nn.Module, recipe: Recipe, inputs: Mapping[str, Any], root: str
) -> tuple[OwnLoss, ...]:
    """All ways in which the model gives a loss of its own, once each, best first.

    A loss that no parameter hears of counts for an entry that takes labels or is asked for its
    loss, and for a method that takes them, or a batch, and promises it by its name, last of all:
    that nothing hears of it is the finding.
    """
    heard: dict[str, OwnLoss] = {}
    silent: dict[str, OwnLoss] = {}
    for own in _offers(model, recipe, root):
        if own.name in heard:
            continue
        value = _value(model, own.run, inputs)
        if value is not None and value.requires_grad:
            heard[own.name] = own
        elif value is not None and own.name in label_parameters(recipe):
            silent[own.name] = own
        elif value is not None and (own.asked or own.promised):
            silent.setdefault(own.name, replace(own, heard=False))
    if not heard:
        heard = _heard_of_classes(model, recipe, inputs, root)
    if not heard:
        silent |= _silent_functions(model, recipe, inputs, root)
    found = (*heard.values(), *silent.values())
    return tuple(_with_conventions(own, model, recipe, root) for own in found)


def _heard_of_classes(
    model: nn.Module, recipe: Recipe, inputs: Mapping[str, Any], root: str
) -> dict[str, OwnLoss]:
    """The losses that come of labels which are classes, the first form of each that is taken."""
    found: dict[str, OwnLoss] = {}
    for labels in () if recipe.time_first else _class_labels(model, recipe, inputs):
        for own in _offers_of_classes(model, recipe, root, labels):
            value = None if own.name in found else _value(model, own.run, inputs)
            if value is not None and value.requires_grad:
                found[own.name] = own
    return found


def _class_labels(
    model: nn.Module, recipe: Recipe, inputs: Mapping[str, Any]
) -> Iterator[ClassLabels]:
    """The forms of labels that are tried, where there are no logits: whose labels are tokens."""
    try:
        with torch.no_grad():
            features = recipe.call(duplicate_to_train(model), inputs).features
        shares = None if features is None else shares_of(features, text_of(recipe, inputs))
    except FAILURES:  # what it takes may be vectors, and no text
        return
    if features is not None:
        yield from CLASS_LABELS
        yield from () if shares is None else [shares]


def _offers_of_classes(
    model: nn.Module, recipe: Recipe, root: str, labels: ClassLabels
) -> Iterator[OwnLoss]:
    """The entry and the methods that might give a loss for labels of one such form."""
    for name in label_parameters(recipe):
        run = _entry_given(recipe, name, lambda inputs: labels.of(text_of(recipe, inputs)))
        yield OwnLoss(name=name, run=run, labels=name, classes=labels)
    for name, method in loss_methods(model, root):
        for call in method_calls(name, method, recipe, labels) if name != recipe.entry else ():
            if call.labelled:
                run = partial(call.run, recipe)
                yield OwnLoss(name=name, run=run, promised=promises_loss(name), classes=labels)


def _silent_functions(
    model: nn.Module, recipe: Recipe, inputs: Mapping[str, Any], root: str
) -> dict[str, OwnLoss]:
    """The losses of functions that take the model, where no parameter hears of any.

    One that is heard of is none of the model's own: it belongs to the script that trains it.
    """
    found: dict[str, OwnLoss] = {}
    for name, function in loss_functions(model, root):
        for own in _offers_of_method(name, function, recipe):
            value = _value(model, own.run, inputs)
            if value is not None and value.requires_grad:
                return {}
            if value is not None and own.promised:
                found.setdefault(name, replace(own, heard=False))
    return found


def _with_conventions(own: OwnLoss, model: nn.Module, recipe: Recipe, root: str) -> OwnLoss:
    """The loss with what its labels stand for: those of a batch may have either usual name."""
    if own.relabelled is None:
        return own
    texts = [slot for slot in recipe.slots if slot.kind == "ids" and slot.name in recipe.forms]
    names = (own.labels,) if own.labels else BATCH_LABELS
    known = {
        name: convention_of(model, name, recipe.ids, root, two_texts=len(texts) > 1)
        for name in names
    }
    return replace(own, conventions=known)


def _offers(model: nn.Module, recipe: Recipe, root: str) -> Iterator[OwnLoss]:
    """All ways that might give a loss: the entry, with labels or without, then other methods."""
    yield OwnLoss(name=recipe.entry, run=_entry_alone(recipe), call="run(model, ids)")
    for slot in recipe.slots:
        if asks_for_loss(slot):
            run = _entry_alone(recipe, {slot.name: True})
            call = f"run(model, ids, {slot.name}=True)"
            yield OwnLoss(name=recipe.entry, run=run, asked=True, call=call)
    for name in label_parameters(recipe):
        yield OwnLoss(
            name=name,
            run=_entry_with_labels(recipe, name),
            labels=name,
            relabelled=partial(_entry_with_labels, recipe, name),
        )
    yield OwnLoss(name=recipe.entry, run=_left_behind(recipe))
    for name, method in loss_methods(model, root):
        if name != recipe.entry:
            yield from _offers_of_method(name, method, recipe)


def _offers_of_method(name: str, method: Callable[..., Any], recipe: Recipe) -> Iterator[OwnLoss]:
    """The ways in which a method might give a loss."""

    def relabelled(index: int, labels_of: LabelsOf) -> Loss:
        calls = method_calls(name, method, recipe, labels_of)
        return partial(next(islice(calls, index, None)).run, recipe)

    for index, call in enumerate(method_calls(name, method, recipe)):
        yield OwnLoss(
            name=name,
            run=partial(call.run, recipe),
            labels=label_parameter(method, recipe),
            relabelled=partial(relabelled, index),
            promised=call.labelled and promises_loss(name),
            call="" if recipe.time_first else call.code,
        )


def _value(model: nn.Module, loss: Loss, inputs: Mapping[str, Any]) -> Tensor | None:
    """The loss, where it is one number; None where it is not, or the call fails.

    A method that steps an optimizer itself changes the weights, and is left alone; so is one that
    goes back from its loss itself, and returns what is left of it for the eye.
    """
    tried = duplicate_to_train(model)
    before = [parameter._version for parameter in tried.parameters()]
    try:
        torch.manual_seed(0)
        value = loss(tried, dict(inputs))
    except (Exception, SystemExit):
        return None
    changed = [parameter._version for parameter in tried.parameters()] != before
    usable = value.numel() == 1 and value.is_floating_point()
    gone_back = not value.requires_grad and goes_back(tried)
    return value if usable and not changed and not gone_back else None


def goes_back(model: nn.Module) -> bool:
    """Whether a run has left gradients behind."""
    return any(parameter.grad is not None for parameter in model.parameters())


def _entry_alone(recipe: Recipe, flags: Mapping[str, bool] = MappingProxyType({})) -> Loss:
    def loss(model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
        outputs = recipe.call(model, {**inputs, **flags})
        if outputs.loss is None or outputs.logits is not None:
            raise ValueError(f"{recipe.entry} returns logits")
        return outputs.loss

    return loss


def _left_behind(recipe: Recipe) -> Loss:
    """The loss that the entry computes of the ids alone, and keeps on the model."""

    def loss(model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
        before = kept_loss(model)
        recipe.run(model, inputs)
        kept = kept_loss(model)
        if kept is None or kept is before:
            raise ValueError(f"{recipe.entry} leaves no loss behind")
        return kept

    return loss


def _entry_with_labels(recipe: Recipe, labels: str, labels_of: LabelsOf = labels_for) -> Loss:
    def made(inputs: Mapping[str, Any]) -> Tensor:
        tokens = labels_of(labels, text_of(recipe, inputs))
        return tokens.t().contiguous() if recipe.time_first else tokens.view_as(inputs[recipe.ids])

    return _entry_given(recipe, labels, made)


def _entry_given(recipe: Recipe, labels: str, made: Callable[[Mapping[str, Any]], Tensor]) -> Loss:
    """What the entry returns as its loss for labels that are `made` of the inputs."""

    def loss(model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
        given = {**inputs, labels: made(inputs)}
        value = recipe.call(model, given).loss
        if value is None:
            raise ValueError(f"{recipe.entry} returned no loss for its {labels}")
        return value

    return loss
