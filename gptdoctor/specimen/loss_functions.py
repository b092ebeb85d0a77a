"""Functions beside a model's class that take the model, and give the loss to train it with."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

from torch import nn

from gptdoctor.specimen.loss_methods import promises_loss, takes_model
from gptdoctor.specimen.places import project_path


def loss_functions(model: nn.Module, root: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The functions of the model's own file that promise its loss by their names.

    Also the methods of classes there that are no networks, as a trainer has its `compute_loss`:
    bound to an object that nothing has initialised, for most of them ask nothing of it.
    """
    home = sys.modules.get(type(model).__module__)
    for name, function in _functions_of(home) if home is not None else ():
        path = project_path(inspect.unwrap(function).__code__.co_filename, root)
        if path is None or not promises_loss(name):
            continue
        parameters = inspect.signature(function).parameters.values()
        if any(takes_model(parameter) for parameter in parameters):
            yield name, function


def _functions_of(home: ModuleType) -> Iterator[tuple[str, FunctionType | MethodType]]:
    for name, value in list(vars(home).items()):
        if getattr(value, "__module__", None) != home.__name__:
            continue
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value) and not issubclass(value, nn.Module):
            yield from _methods_of(value)


def _methods_of(kind: type) -> Iterator[tuple[str, MethodType]]:
    try:
        owner: object = object.__new__(kind)
    except TypeError:  # an abstract class, or one that is made otherwise
        return
    for name, value in vars(kind).items():
        if inspect.isfunction(value):
            yield name, MethodType(value, owner)
