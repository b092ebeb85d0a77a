"""Training steps that run the model on a batch, and make no loss of what it gives."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.probes.instruments.read_lines import tree_of
from gptdoctor.probes.instruments.unmade_loss import leaves_loss_empty
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.loss_functions import loss_functions
from gptdoctor.specimen.loss_methods import (
    MethodCall,
    loss_methods,
    method_calls,
    promises_training,
)
from gptdoctor.specimen.objective import goes_back
from gptdoctor.specimen.outputs import tensors_in
from gptdoctor.specimen.places import project_path, symbol_of
from gptdoctor.specimen.specimen import Specimen

_DEEPEST = 3  # a step that hands the batch on to a shared one, and that to another


@dataclass(frozen=True, kw_only=True)
class EmptyStep:
    """A method that is to give the loss of a batch, and gives none."""

    name: str
    call: str  # as a test writes it; "": it has no short form
    place: Place | None  # of the statement that puts nothing in the loss's place, or the method


class _Entered(TorchFunctionMode):
    """While active, notes whether the entry ran, and whether a number was made outside of it."""

    def __init__(self, model: nn.Module, entry: str) -> None:
        super().__init__()
        self.ran = False
        self.numbers = False
        self._inside = 0
        setattr(model, entry, self._watched(getattr(model, entry)))

    def _watched(self, entry: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            self._inside += 1
            try:
                return entry(*args, **kwargs)
            finally:
                self._inside -= 1
                self.ran = True

        return run

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self._inside:
            one = (each for each in tensors(result) if each.numel() == 1)
            made = isinstance(result, float) or any(each.is_floating_point() for each in one)
            self.numbers = self.numbers or made
        return result


def empty_step(specimen: Specimen) -> EmptyStep | None:
    """The first method named for training that runs the model on a batch and makes no loss of it.

    It returns None, or None for a loss, no number was made outside of the model, and nothing has
    gone back: a step that trains by itself returns nothing either.
    """
    recipe = specimen.recipe
    if recipe is None:
        return None
    for name, method in (
        *loss_methods(specimen.model, specimen.root),
        *loss_functions(specimen.model, specimen.root),
    ):
        for call in method_calls(name, method, recipe) if promises_training(name) else ():
            if call.labelled and _gives_nothing(specimen, recipe, call):
                place = _place_of_nothing(specimen, method)
                code = "" if recipe.time_first else call.code
                return EmptyStep(name=name, call=code, place=place)
    return None


def _gives_nothing(specimen: Specimen, recipe: Recipe, call: MethodCall) -> bool:
    model = specimen.copy()
    watch = _Entered(model, recipe.entry)
    specimen.reseed()
    try:
        with watch:
            raw = call.raw(recipe, model, specimen.inputs())
    except FAILURES:
        return False
    one = any(each.numel() == 1 for _, each in tensors_in(raw))
    return watch.ran and not watch.numbers and not one and _is_nothing(raw) and not goes_back(model)


def _is_nothing(raw: Any) -> bool:
    """Whether what a step returns is None, or holds None for its loss."""
    if isinstance(raw, Mapping):
        return "loss" in raw and raw["loss"] is None
    return raw is None or (isinstance(raw, tuple | list) and bool(raw) and raw[0] is None)


def _place_of_nothing(specimen: Specimen, method: Callable[..., Any]) -> Place | None:
    """Where the step, or a method that it hands the batch on to, puts nothing for the loss."""
    owner = getattr(method, "__self__", None)
    steps = [method]
    for _ in range(_DEEPEST):
        trees = [(each, tree) for each in steps if (tree := tree_of(each)) is not None]
        for each, tree in trees:
            lines = [one.lineno for one in leaves_loss_empty(tree)]
            if lines:
                return _place_in(each, specimen.root, max(lines))
        names = [name for _, tree in trees for name in _handed_to(tree)]
        found = (getattr(owner, name, None) for name in names)
        steps = [each for each in found if inspect.ismethod(each)]
    return _place_in(method, specimen.root, None)


def _place_in(function: Callable[..., Any], root: str, line: int | None) -> Place | None:
    code = inspect.unwrap(function).__code__
    path = project_path(code.co_filename, root)
    return None if path is None else Place(path=path, symbol=symbol_of(code), line=line)


def _handed_to(tree: ast.AST) -> list[str]:
    """The methods of its own that a method calls."""
    return [
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "self"
    ]
