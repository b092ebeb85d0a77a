"""Labels that a model takes and makes nothing of."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.probes.instruments.read_lines import tree_of
from gptdoctor.probes.instruments.statements import forward_place
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.labels import text_of
from gptdoctor.specimen.objective import label_parameters
from gptdoctor.specimen.outputs import tensors_in
from gptdoctor.specimen.specimen import Specimen

# What may decide whether there is a loss, beside the labels: a switch, a second set of labels.
_DECIDES = re.compile(r"loss|label|target|train", re.IGNORECASE)
# The loss itself, and no term that keeps a router or a codebook in order.
_WHOLE = re.compile(r"^(?!.*(?:aux|balanc|router|gate|z_|reg|commit|penalty)).*loss", re.IGNORECASE)


class MadeOf(TorchFunctionMode):
    """While active, notes whether a number with a fraction is made of `labels`."""

    def __init__(self, labels: Tensor) -> None:
        super().__init__()
        self.numbers = False
        self._kept = {id(labels): labels}  # alive, so that no id comes twice

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if any(id(each) in self._kept for each in tensors((args, kwargs or {}))):
            made = list(tensors(result))
            fractions = isinstance(result, float) or any(each.is_floating_point() for each in made)
            self.numbers = self.numbers or fractions
            self._kept.update((id(each), each) for each in made)
        return result


def idle_labels(specimen: Specimen) -> str:
    """The one parameter of the entry that takes labels, if nothing at all comes of them; else "".

    Two sets of labels give the same output, and on the way no operation makes anything but whole
    numbers of them.
    """
    names = label_parameters(specimen.recipe) if specimen.recipe is not None else ()
    if len(names) != 1 or _may_want_more(specimen, names[0]):
        return ""
    try:
        one, other = (_outputs(specimen, names[0], shift) for shift in (1, 2))
    except FAILURES:  # what refuses these labels makes something of them
        return ""
    same = one is not None and other is not None and _equal(one, other)
    return names[0] if same else ""


def _may_want_more(specimen: Specimen, labels: str) -> bool:
    """Whether another parameter of the entry may decide about the loss."""
    entry = getattr(specimen.model, specimen.construction.entry)
    parameters = inspect.signature(inspect.unwrap(entry)).parameters
    return any(name != labels and _DECIDES.search(name) for name in parameters)


def _outputs(specimen: Specimen, labels: str, shift: int) -> list[Tensor] | None:
    """The tensors that a call with labels returns; None: it made numbers of them."""
    recipe = specimen.recipe
    if recipe is None:
        return None
    inputs, model = specimen.inputs(), specimen.copy()
    made = (text_of(recipe, inputs) + shift) % recipe.ids_below
    made = made.t().contiguous() if recipe.time_first else made.view_as(inputs[recipe.ids])
    before = set(vars(model))
    specimen.reseed()
    with MadeOf(made) as watch:
        raw = specimen.call(model, {**inputs, labels: made}).raw
    if watch.numbers or set(vars(model)) != before:
        return None
    return [tensor for _, tensor in tensors_in(raw)]


def _equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def place_of_none(specimen: Specimen, labels: str) -> Place | None:
    """Where the entry gives the loss no value although there are labels; else the entry itself."""
    model, entry = specimen.model, specimen.construction.entry
    place = forward_place(type(model), specimen.root, entry)
    tree = tree_of(getattr(type(model), entry))
    if place is None or tree is None:
        return place
    nodes = ast.walk(tree)
    asked = [node.lineno for node in nodes if isinstance(node, ast.If) and _asks(node, labels)]
    left_out = [node.lineno for node in leaves_loss_empty(tree)]
    # What stands before the question is the value for calls without labels.
    lines = [line for line in left_out if asked and line >= min(asked)]
    return Place(path=place.path, symbol=place.symbol, line=max(lines, default=None))


def leaves_loss_empty(tree: ast.AST) -> list[ast.Assign]:
    """The statements of a function that give its loss no value."""
    nodes = ast.walk(tree)
    return [node for node in nodes if isinstance(node, ast.Assign) and _is_none(node)]


def _asks(node: ast.If, labels: str) -> bool:
    return labels in _names(node.test)


def _is_none(node: ast.Assign) -> bool:
    """Whether a statement is `loss = None`."""
    nothing = isinstance(node.value, ast.Constant) and node.value.value is None
    return nothing and any(_WHOLE.search(name) for one in node.targets for name in _names(one))


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
