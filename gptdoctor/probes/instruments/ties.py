"""Weights that a constructor makes one, looked at when it has ended."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import torch
from torch import nn

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.parameter_registration import BrokenTie
from gptdoctor.probes.instruments.attribute_text import methods_of
from gptdoctor.specimen.places import project_path, symbol_of


def broken_ties(model: nn.Module, root: str) -> Iterator[BrokenTie]:
    """The ties of all modules' constructors that do not hold any more, each place once.

    Only statements of the constructor's own body count: what stands under a condition may not
    have run.
    """
    told: set[Place] = set()
    for module in model.modules():
        for place, first, second in _ties_of(module, root):
            mine, other = _weight(module, first), _weight(module, second)
            if mine is None or other is None or mine is other or place in told:
                continue
            told.add(place)
            yield _told(first, second, mine, other, place)


def _ties_of(module: nn.Module, root: str) -> Iterator[tuple[Place, str, str]]:
    """The ties of the last constructor alone: a subclass may well undo those of its base."""
    constructors = (
        (function, node)
        for function, node in methods_of(module, root)
        if function.__name__ == "__init__" and isinstance(node, ast.FunctionDef)
    )
    function, node = next(constructors, (None, None))
    if function is None or not isinstance(node, ast.FunctionDef):
        return
    if function is not type(module).__init__:
        return
    path, symbol = project_path(function.__code__.co_filename, root), symbol_of(function.__code__)
    for statement in node.body:
        for first, second in _tied(statement):
            place = Place(path=path or "", symbol=symbol, line=statement.lineno)
            yield place, first, second


def _told(
    first: str, second: str, mine: nn.Parameter, other: nn.Parameter, place: Place
) -> BrokenTie:
    alike = mine.shape == other.shape and torch.equal(mine, other)
    return BrokenTie(
        first=first,
        second=second,
        path=place.path,
        symbol=place.symbol,
        line=place.line or 0,
        alike=alike,
    )


def _tied(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    """The two sides of `self.head.weight = self.tokens.weight`, as paths from `self`."""
    if isinstance(statement, ast.Assign):
        second = _path(statement.value)
        for target in statement.targets:
            first = _path(target)
            if first and second and first.endswith(".weight") and second.endswith(".weight"):
                yield first, second


def _path(node: ast.expr) -> str:
    """`self.a.b.weight` as "a.b.weight"; "" for anything else."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed(parts)) if isinstance(node, ast.Name) and node.id == "self" else ""


def _weight(module: nn.Module, path: str) -> nn.Parameter | None:
    """The parameter at the end of a path of attributes; None where there is none."""
    value: object = module
    for part in path.split("."):
        value = getattr(value, part, None)
    return value if isinstance(value, nn.Parameter) else None
