"""Methods of a model that give a loss, and the arguments that they may want."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.labels import LabelsOf, labels_for, text_of
from gptdoctor.specimen.on_device import bridged
from gptdoctor.specimen.outputs import loss_in
from gptdoctor.specimen.places import project_path
from gptdoctor.specimen.roles import kind_of, signature_of

_LOSS_NAMES = re.compile(
    r"(?:compute|get|calc|calculate|forward|lm|training|train|own)?_?(?:loss|step)(?:_fn|_function)?"
    r"|(?:training|train)_step|loss_on.*|compute_.*loss"
)
# What no report for the eye is called.
_FOR_TRAINING = re.compile(r"(?:compute|training|train)_loss|(?:training|train)_step")
# Nor, without a word of evaluation, the loss itself or the step that both ways share.
_PROMISED = re.compile(
    r"(?:(?:calc|calculate|forward|get|lm|own)_?)?loss(?:_fn|_function)?|(?:shared|common)_step"
)
# What a trainer counts and hands on.
_COUNT = re.compile(
    r"(?:batch|step|global|iter|iteration|epoch|dataloader|optimizer)_?"
    r"(?:idx|id|index|i|n|nb|num|number|step)"
)
_BATCH = re.compile(r"(?:train_?|mini_?)?batch|data|samples?|examples?")
_MODEL = re.compile(r"(?:gpt|lm|llm|model|net|network|transformer)(?:_model)?")
# Under which a batch holds labels.
BATCH_LABELS = ("labels", "targets", "y")
# A batch with all of them, as `_as_mapping` makes it.
_MAPPING = (
    "{'input_ids': ids, 'text_ids': ids, 'x': ids, 'labels': labels, 'targets': labels, "
    "'y': labels}"
)
_LOSS_USED = re.compile(r"cross_entropy|nll|loss|criterion", re.IGNORECASE)


def loss_methods(model: nn.Module, root: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The methods of the user's that promise a loss by their names, or compute with one."""
    for name, function in inspect.getmembers(type(model), inspect.isfunction):
        code = getattr(inspect.unwrap(function), "__code__", None)
        if code is None or project_path(code.co_filename, root) is None:
            continue
        uses = any(_LOSS_USED.search(used) for used in code.co_names)
        if not name.startswith("__") and (uses or _LOSS_NAMES.fullmatch(name.strip("_").lower())):
            yield name, signature_of(model, name)


def promises_training(name: str) -> bool:
    """Whether a loss method by its name is there to train with."""
    return _FOR_TRAINING.fullmatch(name.strip("_").lower()) is not None


def takes_model(parameter: inspect.Parameter) -> bool:
    """Whether a parameter of a function is the model to train."""
    return _MODEL.fullmatch(parameter.name.lower()) is not None


def is_training_step(name: str) -> bool:
    """Whether a trainer calls a method of this name and goes back from what it returns."""
    return name.strip("_").lower() in ("training_step", "train_step")


def promises_loss(name: str) -> bool:
    """Whether a loss method by its name gives what is trained with, rather than a report."""
    return promises_training(name) or _PROMISED.fullmatch(name.strip("_").lower()) is not None


# What one argument of a loss method is made from: the model, its recipe and its inputs.
_Making = Callable[[nn.Module, Recipe, Mapping[str, Any]], Any]


@dataclass(frozen=True, kw_only=True)
class _Argument:
    """What makes one argument of a loss method."""

    made: _Making
    code: str  # the same of `model`, `ids` and `labels`, as a test writes it; "": it cannot


@dataclass(frozen=True, kw_only=True)
class MethodCall:
    """One argument list for a loss method, told by its parameters' names."""

    name: str
    arguments: Mapping[str, _Argument]
    labelled: bool  # it is given labels, or a batch that has them
    function: Callable[..., Any] | None = None  # that takes the model, where it is none of its own

    def raw(self, recipe: Recipe, model: nn.Module, inputs: Mapping[str, Any]) -> Any:
        """What the method returns."""
        given = {key: one.made(model, recipe, inputs) for key, one in self.arguments.items()}
        called = self.function or getattr(model, self.name)
        return bridged(called, model)(**given)

    def run(self, recipe: Recipe, model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
        """The loss that the method returns."""
        raw = self.raw(recipe, model, inputs)
        value = raw.reshape(()) if isinstance(raw, Tensor) else loss_in(raw, None)
        if value is None:
            raise ValueError(f"{self.name} returned no loss")
        return value

    @property
    def code(self) -> str:
        """The call as a test writes it, "" where one of its arguments has no short form."""
        if self.function is not None or not all(one.code for one in self.arguments.values()):
            return ""
        given = ", ".join(f"{key}={one.code}" for key, one in self.arguments.items())
        return f"model.{self.name}({given})"


def method_calls(
    name: str, method: Callable[..., Any], recipe: Recipe, labels_of: LabelsOf = labels_for
) -> Iterator[MethodCall]:
    """The argument lists that a loss method may want, always as many and in the same order.

    One that is no method of the model takes it as an argument.
    """
    owner = getattr(method, "__self__", None)
    function = None if isinstance(owner, nn.Module) else method
    found: dict[str, _Argument] = {}
    batches: list[str] = []
    for parameter in inspect.signature(method).parameters.values():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if _BATCH.fullmatch(parameter.name) or (function and parameter.name == "inputs"):
            batches.append(parameter.name)
            continue
        if function is not None and takes_model(parameter):
            made: _Argument | None = _Argument(made=lambda model, recipe, inputs: model, code="")
        else:
            made = _argument_of(parameter, recipe, labels_of)
        if made is not None:
            found[parameter.name] = made
    wholes = (
        _Argument(made=_as_mapping(labels_of), code=_MAPPING),
        _Argument(made=_as_pair(labels_of), code="(ids, labels)"),
        _Argument(made=_as_text, code="ids"),
    )
    labelled = bool(batches) or any(kind_of(each) == "labels" for each in found)
    for whole in wholes[: 3 if batches else 1]:
        arguments = {**found, **dict.fromkeys(batches, whole)}
        yield MethodCall(name=name, arguments=arguments, labelled=labelled, function=function)


def label_parameter(method: Callable[..., Any], recipe: Recipe) -> str:
    """The parameter of a loss method that takes labels, "" where it has none."""
    names = inspect.signature(method).parameters
    return next((n for n in names if n not in recipe.forms and kind_of(n) == "labels"), "")


def _argument_of(
    parameter: inspect.Parameter, recipe: Recipe, labels_of: LabelsOf
) -> _Argument | None:
    """What to give for one parameter; None: leave its default."""
    name = parameter.name
    if _COUNT.fullmatch(name):  # an `idx` too, and no ids
        return _Argument(made=lambda model, recipe, inputs: 0, code="0")
    if "logit" in name or name in ("outputs", "preds", "predictions"):
        return _Argument(
            made=lambda model, recipe, inputs: recipe.call(model, inputs).logits,
            code="logits(model, ids)",
        )
    if name in recipe.forms:
        code = "ids" if name == recipe.ids else ""
        return _Argument(made=lambda model, recipe, inputs: inputs[name], code=code)
    if kind_of(name) == "labels":
        return _Argument(
            made=lambda model, recipe, inputs: labels_of(name, text_of(recipe, inputs)),
            code="labels",
        )
    if kind_of(name) == "ids":
        return _Argument(made=_as_text, code="ids")
    if parameter.default is parameter.empty:  # batch_idx, step
        return _Argument(made=lambda model, recipe, inputs: 0, code="0")
    return None


def _as_mapping(labels_of: LabelsOf) -> _Making:
    """A batch as a dictionary, under all the usual names."""

    def make(model: nn.Module, recipe: Recipe, inputs: Mapping[str, Any]) -> dict[str, Any]:
        ids = _text_batch(recipe, inputs)
        return {
            **inputs,
            "input_ids": ids,
            **{name: labels_of(name, ids) for name in BATCH_LABELS},
            "attention_mask": torch.ones_like(ids),
            "text_ids": ids,
            "x": ids,
        }

    return make


def _as_pair(labels_of: LabelsOf) -> _Making:
    def make(model: nn.Module, recipe: Recipe, inputs: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        ids = _text_batch(recipe, inputs)
        return ids, labels_of("targets", ids)

    return make


def _as_text(model: nn.Module, recipe: Recipe, inputs: Mapping[str, Any]) -> Tensor:
    return _text_batch(recipe, inputs)


def _text_batch(recipe: Recipe, inputs: Mapping[str, Any]) -> Tensor:
    """The ids [B, T]; a few more where the entry takes one token a call and T is 1."""
    ids = text_of(recipe, inputs)
    return ids if ids.shape[1] > 1 else torch.cat([ids.roll(n, dims=0) for n in range(4)], dim=1)
