"""Places that stop gradients by their text, and to which no pass of the specimen has come."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

import torch
from torch import nn

from gptdoctor.probes.instruments.definitions import own_methods
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.places import project_path
from gptdoctor.specimen.specimen import Specimen

Line = tuple[str, int]  # path and number

# Enough for what every second or third layer does, and for a first, a middle and a last one.
LAYERS = 6
_STOPS = frozenset({"detach", "no_grad", "inference_mode", "set_grad_enabled"})
# What generates, fills or counts is asked by no pass that trains.
_BESIDE = ("generate", "sample", "_init", "init", "reset", "load", "from_", "count", "log")


def has_unreached(specimen: Specimen, known: Set[Line]) -> bool:
    """Whether a method holds such a place, not `known`, at a line that a pass does not run."""
    stops = set(_stops(specimen.model, specimen.root)) - known
    return bool(stops) and not stops <= _reached(specimen)


def _reached(specimen: Specimen) -> set[Line]:
    """The lines of the user's that one pass runs."""
    lines: set[Line] = set()
    paths: dict[str, str | None] = {}

    def note(frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if name not in paths:
            paths[name] = project_path(name, specimen.root)
        path = paths[name]
        if path is not None:
            lines.add((path, frame.f_lineno))
        return None if path is None else note

    model, inputs, previous = specimen.copy(), specimen.inputs(), sys.gettrace()
    specimen.reseed()
    sys.settrace(note)
    try:
        specimen.loss(model, inputs)
    except FAILURES:
        pass  # what ran before it is known all the same
    finally:
        sys.settrace(previous)
        torch._C._set_grad_enabled(True)  # a forward may have left it switched off
    return lines


def _stops(model: nn.Module, root: str) -> Iterator[Line]:
    """Path and line of what stops gradients in methods that may be part of a forward pass."""
    for method in own_methods(model, root):
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
