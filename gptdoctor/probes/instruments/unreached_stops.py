"""Places that stop gradients by their text, and to which no pass of the specimen has come."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import replace

from torch import nn

from gptdoctor.probes.instruments.definitions import all_methods
from gptdoctor.specimen.specimen import Specimen

# Enough for what every second or third layer does, and for a first, a middle and a last one.
LAYERS = 6
_STOPS = frozenset({"detach", "no_grad", "inference_mode", "set_grad_enabled"})
# What generates, fills or counts is asked by no pass that trains.
_BESIDE = ("generate", "sample", "_init", "init", "reset", "load", "from_", "count", "log")


def has_unreached(model: nn.Module, root: str, known: Container[tuple[str, int]]) -> bool:
    """Whether a method of the model holds such a place at a line that is not `known`."""
    return any(line not in known for line in _stops(model, root))


def _stops(model: nn.Module, root: str) -> Iterator[tuple[str, int]]:
    """Path and line of what stops gradients in methods that may be part of a forward pass."""
    for method in all_methods(model, root):
        name = method.symbol.rpartition(".")[2]
        decorated = any(map(_is_stop, method.node.decorator_list))
        if decorated or name.startswith(_BESIDE):
            continue
        for statement in method.node.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Call) and _is_stop(node):
                    yield method.path, node.lineno


def _is_stop(node: ast.expr) -> bool:
    function = node.func if isinstance(node, ast.Call) else node
    return isinstance(function, ast.Attribute) and function.attr in _STOPS


@contextmanager
def deeper(specimen: Specimen) -> Iterator[Specimen | None]:
    """The specimen with more layers; None where it cannot be had."""
    if specimen.remade is None:
        yield None
        return
    with specimen.remade(layers=LAYERS) as model:
        more = model is not None and _size(model) > _size(specimen.model)
        yield replace(specimen, model=model) if model is not None and more else None


def _size(model: nn.Module) -> int:
    return sum(1 for _ in model.modules())
