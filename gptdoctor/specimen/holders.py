"""One object that holds all sizes, where a parameter does not tell the class of it."""

from __future__ import annotations

import ast
import dataclasses
import re
import types
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from gptdoctor.specimen.hints import keys_of
from gptdoctor.specimen.reads import Reads
from gptdoctor.specimen.values import MISSING, Written, keywords, literal, small
from gptdoctor.specimen.variants import Variant

CONFIG_CLASS = re.compile(
    r".*(?:Config|Configuration|Cfg|Args|Arguments|Settings|H?Params|Options)"
)
# A class or dictionary serves as configuration if it knows at least this share of the keys read.
_ENOUGH = 0.5


def config_class(reads: Reads, modules: Sequence[types.ModuleType]) -> type | None:
    """The class of the user's that knows most of the keys that are read."""
    best, most = None, _ENOUGH * len(reads.keys)
    for module in modules:
        for known in vars(module).values():
            if not isinstance(known, type) or issubclass(known, nn.Module):
                continue
            if not (dataclasses.is_dataclass(known) or CONFIG_CLASS.fullmatch(known.__name__)):
                continue
            score = len(reads.keys.keys() & keys_of(known)) + 0.1  # the first of equals
            if score > most:
                best, most = known, score
    return best


def template_for(reads: Reads, modules: Sequence[types.ModuleType]) -> Mapping[str, Any]:
    """A dictionary at the top of the user's modules with most of the keys that are read."""
    best: Mapping[str, Any] = {}
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, dict) and not value.keys() >= {"__name__"}:
                shared = len(reads.keys.keys() & value.keys())
                if shared > len(best.keys() & reads.keys.keys()):
                    best = value
    return best


def filled(reads: Reads, template: Mapping[str, Any], variant: Variant) -> Written:
    """A dictionary or a namespace with a value for each key that is read."""
    values = {k: value_for(k, reads, template, variant) for k in sorted(reads.keys)}
    plain = {key: value.value for key, value in values.items()}
    if reads.subscripted:
        inner = ", ".join(f"{key!r}: {value.code}" for key, value in values.items())
        return Written(plain, "{" + inner + "}")
    return Written(types.SimpleNamespace(**plain), f"SimpleNamespace({keywords(values)})")


def value_for(key: str, reads: Reads, template: Mapping[str, Any], variant: Variant) -> Written:
    """A value for one key: as the template has it, made small, or by its name."""
    inner = template.get(key, MISSING)
    if reads.keys[key].keys:
        return filled(reads.keys[key], inner if isinstance(inner, Mapping) else {}, variant)
    default = inner if key in template else _literal_default(reads.defaults.get(key))
    value = small(key, default, None, variant, frozenset(reads.keys))
    return literal(default) if value is None else value


def _literal_default(node: ast.expr | None) -> Any:
    """The value of a default in the text, where it is a plain one."""
    try:
        return MISSING if node is None else ast.literal_eval(node)
    except ValueError:
        return MISSING
