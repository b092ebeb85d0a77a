"""Labels whose marks are clamped to a class before the loss: `labels.clamp(min=0)`."""

from __future__ import annotations

import ast
import re
from typing import TypeGuard

from gptdoctor.source.flow_functions import Function
from gptdoctor.source.loss_calls import LossCall
from gptdoctor.source.names import called_name
from gptdoctor.source.value_ways import Way, keyword, operation, shaped_from, ways_of

_CLAMPS = frozenset({"clamp", "clamp_", "clamp_min", "clamp_min_", "clip"})
_LABELS = re.compile(r"label|target|tgt", re.IGNORECASE)


def clamped_labels(loss: LossCall) -> ast.Call | None:
    """Where the marks of labels become class 0, which a mean over all positions then counts.

    A loss of each position may leave them out afterwards, and one may ignore class 0.
    """
    if loss.setting("reduction") is not None or loss.setting("ignore_index") is not None:
        return None
    if not any(map(loss.function.text.__contains__, ("clamp", "clip"))):
        return None
    ways = ways_of(loss.targets, loss.function, _unclamped)
    places = [_place(one, loss.function) for one in ways]
    return places[0] if places and all(places) else None


def _unclamped(value: ast.expr, function: Function) -> list[ast.expr]:
    """What a value is the same classes as, but for those below the least: a `Follow`."""
    made = operation(value, function) if called_name(value) in _CLAMPS else None
    return [made[1]] if made is not None else shaped_from(value, function)


def _place(way: Way, function: Function) -> ast.Call | None:
    """The step that clamps what was given as labels."""
    source = way.argument or (ast.unparse(way.source) if way.source is not None else "")
    if not _LABELS.search(source):
        return None
    return next((one for one in way.steps if _is_clamp(one, function)), None)


def _is_clamp(step: ast.AST, function: Function) -> TypeGuard[ast.Call]:
    """`x.clamp(min=0)`, `x.clamp(0)`, `torch.clamp_min(x, 0)`, without an upper end."""
    if not isinstance(step, ast.Call) or called_name(step) not in _CLAMPS:
        return False
    made = operation(step, function)
    given = [one for one in step.args if made is None or one is not made[1]]
    least = keyword(step, "min") or (given[0] if given else None)
    most = keyword(step, "max") or (given[1] if len(given) > 1 else None)
    return most is None and isinstance(least, ast.Constant) and least.value == 0
