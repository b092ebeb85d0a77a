"""Walks sidecars and operators: a new host or operator is named in no list."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from benchmarks.mutations import operators, sidecars
from benchmarks.mutations.host import Host
from benchmarks.mutations.operator import Operator


def hosts() -> list[Host]:
    """All hosts, by name."""
    found: list[Host] = [module.HOST for module in _modules(sidecars)]
    return sorted(found, key=lambda host: host.name)


def all_operators() -> list[Operator]:
    """All operators, family by family."""
    found: list[Operator] = []
    for module in _modules(operators):
        found += module.OPERATORS
    return found


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda one: one.name):
        yield importlib.import_module(f"{package.__name__}.{info.name}")
