"""One object that holds all sizes, where a parameter does not tell the class of it."""

from __future__ import annotations

import ast
import dataclasses
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import nn

from gptdoctor.specimen.hints import keys_of
from gptdoctor.specimen.lessons import Lessons
from gptdoctor.specimen.reads import Reads
from gptdoctor.specimen.values import MISSING, NoIdeaError, Written, keywords, literal, small
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


def from_dictionary(
    reads: Reads, modules: Sequence[types.ModuleType], lessons: Lessons, variant: Variant
) -> Written:
    """A dictionary or a namespace like the one of the user's that serves best.

    Of the keys that only those hold whose models have no weights none is given: they may be what
    such a model is told by, as "num_experts".  Raises NoIdeaError where no other is left.
    """
    for key in lessons.keys:
        reads.at([key])
    template = _template_for(reads, modules, lessons.unreal)
    if lessons.unreal and not template:
        raise NoIdeaError("a configuration whose model has weights")
    lessons.template = template
    theirs = {key for one in lessons.unreal for key in one} - template.keys() - lessons.keys
    for key in theirs:
        reads.keys.pop(key, None)
    return filled(reads, template, variant)


def _template_for(
    reads: Reads, modules: Sequence[types.ModuleType], unreal: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any]:
    """A dictionary at the top of the user's modules with most of the keys that are read.

    Or in a table of them, if it has most of the keys: `SIZES = {"small": {...}, "large": {...}}`.
    """
    best: Mapping[str, Any] = {}
    enough = _ENOUGH * len(reads.keys)
    for value in _dictionaries(modules):
        inner = (one for one in value.values() if isinstance(one, dict))
        tables = [one for one in inner if len(reads.keys.keys() & one.keys()) > enough]
        for each in (value, *tables):
            shared = len(reads.keys.keys() & each.keys())
            left = all(each is not one for one in unreal)
            if left and shared > len(best.keys() & reads.keys.keys()):
                best = each
    return best


def _dictionaries(modules: Sequence[types.ModuleType]) -> Iterator[Mapping[str, Any]]:
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, dict) and not value.keys() >= {"__name__"}:
                yield value


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
