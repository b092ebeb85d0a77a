"""How logits and losses are read from what a call returns, as code that a user can paste."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gptdoctor.specimen.called import Called
from gptdoctor.specimen.duplicate import duplicate_to_train
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.labels import labels_for, names_next, text_of
from gptdoctor.specimen.objective import label_parameters
from gptdoctor.specimen.outputs import Layout, Path, features_at, logits_in, loss_at
from gptdoctor.specimen.specimen import OwnLoss

OUTPUT = "output"  # the name of what the call returned
_TIME_FIRST = ".transpose(0, 1)"


def readings(best: Called) -> dict[str, Any]:
    """The fields that say how logits and a loss are read, and which labels it wants."""
    trial, model = best.trial, best.instance.model
    if trial is None or trial.outputs is None or model is None:
        return {}
    recipe = trial.recipe
    inputs = recipe.inputs(trial.batch, trial.length, 0)
    layout = recipe.layout(inputs)
    found = {"logits": logits_code(trial.outputs.raw, layout)}
    if not found["logits"] and trial.outputs.loss is None and not layout.time_first:
        vectors = features_at(trial.outputs.raw, layout)
        found["vectors"] = "" if vectors is None else f"{OUTPUT}{path_code(vectors[0])}"
    entry = (*label_parameters(recipe), recipe.entry)
    own = next((one for one in best.own if one.name in entry), None)
    if own is None or recipe.time_first:  # labels that are turned as well have no short code
        return found
    labels = own.labels
    given = labelled(own, recipe, inputs) if labels else inputs
    try:
        with torch.no_grad():
            raw = recipe.run(duplicate_to_train(model), given)
    except FAILURES:
        return found
    loss = {"loss": loss_code(raw, layout), "loss_labels": labels}
    if own.classes is not None:
        return found | loss | {"classes": own.classes.code}
    return found | loss | {"labels_are_next": names_next(labels)}


def labelled(own: OwnLoss, recipe: Recipe, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of the entry with the labels that its loss wants."""
    text = text_of(recipe, inputs)
    if own.classes is not None:
        return {**inputs, own.labels: own.classes.of(text)}
    made = labels_for(own.labels, text).view_as(inputs[recipe.ids])
    return {**inputs, own.labels: made}


def logits_code(raw: Any, layout: Layout) -> str:
    """Code that gives logits [B, T, V] from `output`, in terms of B and T; "": there are none."""
    found = logits_in(raw, layout)
    return "" if found is None else f"{OUTPUT}{path_code(found[0])}{_arranged(found[1], layout)}"


def loss_code(raw: Any, layout: Layout) -> str:
    """Code that gives the loss from `output`; "": there is none in it."""
    logits = logits_in(raw, layout)
    found = loss_at(raw, None if logits is None else logits[0])
    return "" if found is None else f"{OUTPUT}{path_code(found[0])}"


def path_code(path: Path) -> str:
    """The way to a tensor in an output, as code that follows it: ".logits", "[0]"."""
    return "".join(f".{key}" if how == "attribute" else f"[{key!r}]" for how, key in path)


def _arranged(tensor: Tensor, layout: Layout) -> str:
    """What `outputs.arrange` does to such a tensor."""
    turned = _TIME_FIRST if layout.time_first and tensor.dim() == 3 else ""
    if tensor.shape[-1] in layout.vocabularies:
        if tensor.dim() == 2:
            return _unflattened(tensor, layout)
        longer = tensor.shape[0 if layout.time_first else 1] > layout.length
        return f"{turned}[:, -T:]" if longer else turned
    return f"{turned}.transpose(1, 2)"


def _unflattened(tensor: Tensor, layout: Layout) -> str:
    if tensor.shape[0] != layout.batch * layout.length:
        return ".unsqueeze(1)"
    return f".view(T, B, -1){_TIME_FIRST}" if layout.time_first else ".view(B, T, -1)"
