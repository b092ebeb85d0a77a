"""Names of sizes that a file offers in a table: `model_type="gpt2"`, `size: str = "base"`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gptdoctor.specimen.values import Written, literal


def smallest_preset(default: str, made: Callable[..., Any]) -> Written | None:
    """The name of the smallest entry, where `default` names one in a table of the file of `made`.

    None: it names none, or the smallest already.
    """
    scope = vars(sys.modules.get(made.__module__, sys))
    for table in scope.values():
        if isinstance(table, Mapping) and default in table:
            sizes = {name: _size(entry) for name, entry in table.items() if isinstance(name, str)}
            if all(sizes.values()) and len(sizes) > 1:
                name = min(sizes, key=sizes.__getitem__)
                return None if name == default else literal(name)
    return None


def _size(entry: Any) -> int:
    """The product of all sizes that an entry holds; 0: it holds none."""
    product = 0
    for number in _numbers(entry):
        product = max(product, 1) * number
    return product


def _numbers(entry: Any) -> Iterator[int]:
    values = entry.values() if isinstance(entry, Mapping) else entry
    if isinstance(values, tuple | list) or isinstance(entry, Mapping):
        yield from (one for one in values if type(one) is int and one > 0)
    elif hasattr(entry, "__dict__") and not isinstance(entry, type):
        yield from (one for one in vars(entry).values() if type(one) is int and one > 0)
