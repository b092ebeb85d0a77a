"""The loss to train a specimen with: the model's own where it has one, else cross-entropy."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gptdoctor.specimen.duplicate import duplicate
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.kept_losses import kept_loss
from gptdoctor.specimen.outputs import loss_in
from gptdoctor.specimen.places import project_path
from gptdoctor.specimen.roles import asks_for_loss, kind_of, signature_of
from gptdoctor.specimen.specimen import OwnLoss

Loss = Callable[[nn.Module, Mapping[str, Any]], Tensor]
OWN = "own loss"
SHIFTED = "shifted cross-entropy"
EXCHANGED = "exchanged rows"
_LOSS_NAMES = re.compile(
    r"(?:compute|get|calc|calculate|forward|lm|training|train|own)?_?(?:loss|step)(?:_fn|_function)?"
    r"|(?:training|train)_step|loss_on.*|compute_.*loss"
)
_LOSS_USED = re.compile(r"cross_entropy|nll|loss|criterion", re.IGNORECASE)
# Names under which labels are already shifted by one (nanoGPT's convention).
_SHIFTED_NAMES = re.compile(r"targets?|y|next_.*|shifted_.*")


def shifted_cross_entropy(logits: Tensor, ids: Tensor) -> Tensor:
    """The mean loss, in nats, of logits [B, T, V] that predict the next of ids [B, T].

    Logits of one position [B, 1, V] have no next token: they are to name the first one.
    """
    if logits.shape[1] < 2:
        return functional.cross_entropy(logits[:, 0], ids[:, 0])
    predicted = logits[:, :-1].flatten(0, 1)  # [B * (T - 1), V]
    return functional.cross_entropy(predicted, ids[:, 1:].flatten())


def text_of(recipe: Recipe, inputs: Mapping[str, Any]) -> Tensor:
    """The ids [B, T] that the logits continue."""
    ids: Tensor = inputs[recipe.ids]
    layout = recipe.layout(inputs)
    return ids.t().contiguous() if recipe.time_first else ids.view(layout.batch, layout.length)


def without_own_loss(recipe: Recipe) -> Loss:
    """Shifted cross-entropy of the logits against the ids."""

    def loss(model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
        logits = recipe.call(model, inputs).logits
        if logits is None:
            raise ValueError(f"{recipe.entry} returned nothing that could be logits [B, T, V]")
        return shifted_cross_entropy(logits, text_of(recipe, inputs))

    return loss


def exchanged_rows(start: nn.Module, recipe: Recipe) -> Loss:
    """How far the vectors of each row are from what the next row's were at the `start`.

    A backbone or a classifier has no task of its own here.  This is one that suits whatever it
    gives, since it gave it itself; the mean square is relative to that of the aim.
    """

    def loss(model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
        with torch.no_grad():
            aim = _features(recipe, duplicate(start).train(), inputs)
        aim = aim.roll(1, dims=0 if aim.shape[0] > 1 else aim.dim() - 1)
        features = _features(recipe, model, inputs)
        return (features - aim).square().mean() / aim.square().mean().clamp_min(_TINY)

    return loss


_TINY = 1e-12  # of an aim that is nothing but zeros


def _features(recipe: Recipe, model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
    features = recipe.call(model, inputs).features
    if features is None:
        raise ValueError(f"{recipe.entry} returned no vectors for each row")
    return features


def label_parameters(recipe: Recipe) -> tuple[str, ...]:
    """The parameters of the entry that take labels."""
    return tuple(slot.name for slot in recipe.slots if slot.kind == "labels")


def labels_for(name: str, ids: Tensor) -> Tensor:
    """Labels for ids [B, T], such that every convention gives a finite loss that can be learned.

    Under a name that promises shifted labels the ids are shifted by one, with the first in the
    last place: a number below 0 would be refused by a model that ignores another one.  Else the
    ids themselves: a model that does not shift them learns to copy, which is a task too.
    """
    return ids.roll(-1, dims=1) if _SHIFTED_NAMES.fullmatch(name.lower()) else ids.clone()


def own_losses(
    model: nn.Module, recipe: Recipe, inputs: Mapping[str, Any], root: str
) -> tuple[OwnLoss, ...]:
    """All ways in which the model gives a loss of its own, once each, best first.

    A loss that no parameter hears of counts for an entry that takes labels, last of all: that
    nothing hears of it is the finding.
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
    return (*heard.values(), *silent.values())


def _offers(model: nn.Module, recipe: Recipe, root: str) -> Iterator[OwnLoss]:
    """All ways that might give a loss: the entry, with labels or without, then other methods."""
    yield OwnLoss(name=recipe.entry, run=_entry_alone(recipe))
    for slot in recipe.slots:
        if asks_for_loss(slot):
            yield OwnLoss(name=recipe.entry, run=_entry_alone(recipe, {slot.name: True}))
    for name in label_parameters(recipe):
        yield OwnLoss(name=name, run=_entry_with_labels(recipe, name))
    yield OwnLoss(name=recipe.entry, run=_left_behind(recipe))
    for name, method in loss_methods(model, root):
        if name != recipe.entry:
            for arguments in _arguments_of(method, recipe):
                yield OwnLoss(name=name, run=_method(name, recipe, arguments))


def _value(model: nn.Module, loss: Loss, inputs: Mapping[str, Any]) -> Tensor | None:
    """The loss, where it is one number; None where it is not, or the call fails.

    A method that steps an optimizer itself changes the weights, and is left alone.
    """
    tried = duplicate(model).train()
    before = [parameter._version for parameter in tried.parameters()]
    try:
        torch.manual_seed(0)
        value = loss(tried, dict(inputs))
    except (Exception, SystemExit):
        return None
    changed = [parameter._version for parameter in tried.parameters()] != before
    usable = value.numel() == 1 and value.is_floating_point()
    return value if usable and not changed else None


def loss_methods(model: nn.Module, root: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The methods of the user's that promise a loss by their names, or compute with one."""
    for name, function in inspect.getmembers(type(model), inspect.isfunction):
        code = getattr(inspect.unwrap(function), "__code__", None)
        if code is None or project_path(code.co_filename, root) is None:
            continue
        uses = any(_LOSS_USED.search(used) for used in code.co_names)
        if not name.startswith("__") and (uses or _LOSS_NAMES.fullmatch(name.strip("_").lower())):
            yield name, signature_of(model, name)


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


def _entry_with_labels(recipe: Recipe, labels: str) -> Loss:
    def loss(model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
        made = labels_for(labels, text_of(recipe, inputs))
        made = made.t().contiguous() if recipe.time_first else made.view_as(inputs[recipe.ids])
        given = {**inputs, labels: made}
        value = recipe.call(model, given).loss
        if value is None:
            raise ValueError(f"{recipe.entry} returned no loss for its {labels}")
        return value

    return loss


# What one argument of a loss method is made from: the model, its recipe and its inputs.
_Argument = Callable[[nn.Module, Recipe, Mapping[str, Any]], Any]


def _arguments_of(method: Callable[..., Any], recipe: Recipe) -> Iterator[dict[str, _Argument]]:
    """The argument lists that a loss method may want, told by its parameters' names."""
    found: dict[str, _Argument] = {}
    batches: list[str] = []
    for parameter in inspect.signature(method).parameters.values():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if parameter.name in ("batch", "data", "sample", "samples"):
            batches.append(parameter.name)
            continue
        made = _argument_of(parameter, recipe)
        if made is not None:
            found[parameter.name] = made
    for whole in (_as_mapping, _as_pair, _as_text)[: 3 if batches else 1]:
        yield {**found, **dict.fromkeys(batches, whole)}


def _argument_of(parameter: inspect.Parameter, recipe: Recipe) -> _Argument | None:
    """What to give for one parameter; None: leave its default."""
    name = parameter.name
    if "logit" in name or name in ("outputs", "preds", "predictions"):
        return lambda model, recipe, inputs: recipe.call(model, inputs).logits
    if name in recipe.forms:
        return lambda model, recipe, inputs: inputs[name]
    if kind_of(name) == "labels":
        return lambda model, recipe, inputs: labels_for(name, text_of(recipe, inputs))
    if kind_of(name) == "ids":
        return _as_text
    if parameter.default is parameter.empty:
        return lambda model, recipe, inputs: 0  # batch_idx, step
    return None


def _as_mapping(model: nn.Module, recipe: Recipe, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """A batch as a dictionary, under all the usual names."""
    ids = _text_batch(recipe, inputs)
    return {
        **inputs,
        "input_ids": ids,
        "labels": ids.clone(),
        "attention_mask": torch.ones_like(ids),
        "text_ids": ids,
        "targets": labels_for("targets", ids),
    }


def _as_pair(model: nn.Module, recipe: Recipe, inputs: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    ids = _text_batch(recipe, inputs)
    return ids, labels_for("targets", ids)


def _as_text(model: nn.Module, recipe: Recipe, inputs: Mapping[str, Any]) -> Tensor:
    return _text_batch(recipe, inputs)


def _text_batch(recipe: Recipe, inputs: Mapping[str, Any]) -> Tensor:
    """The ids [B, T]; a few more where the entry takes one token a call and T is 1."""
    ids = text_of(recipe, inputs)
    return ids if ids.shape[1] > 1 else torch.cat([ids.roll(n, dims=0) for n in range(4)], dim=1)


def _method(name: str, recipe: Recipe, arguments: Mapping[str, _Argument]) -> Loss:
    def loss(model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
        given = {key: make(model, recipe, inputs) for key, make in arguments.items()}
        raw = getattr(model, name)(**given)
        value = raw.reshape(()) if isinstance(raw, Tensor) else loss_in(raw, None)
        if value is None:
            raise ValueError(f"{name} returned no loss")
        return value

    return loss
