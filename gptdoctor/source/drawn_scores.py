"""Whether tokens are drawn from logits or probabilities, through helpers too."""

from __future__ import annotations

import ast

from gptdoctor.source.activations import activation
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.draws import is_raw, scored_from
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.helper_ways import Path, paths_of
from gptdoctor.source.names import called_name
from gptdoctor.source.temperature import Frame


def raw_paths(value: ast.expr, frame: Frame) -> list[Path]:
    """The ways of a value that is logits or logarithms whichever way it came; else none."""
    paths = paths_of(frame, value, scored_from, scaled=True)
    return paths if all(map(_is_raw_path, paths)) else []


def _is_raw_path(path: Path) -> bool:
    way, function = path[-1]
    made = None if way.source is None or way.binding else activation(way.source, function)
    if made is not None and made[0] not in ("log_softmax", "log", "logsigmoid"):
        return False
    return any(is_raw(*one) for one in path)


def probabilities(value: ast.expr, frame: Frame, kind: str) -> list[ast.expr]:
    """Where softmax, or sigmoid, makes what a value is whichever way it came; else none."""
    found: list[ast.expr] = []
    for path in paths_of(frame, value, _share_from, scaled=True):
        way, function = path[-1]
        made = None if way.source is None or way.binding else activation(way.source, function)
        if made is None or made[0] != kind or way.source is None:
            return []
        found.append(way.source)
    return found


def _share_from(value: ast.expr, function: Function) -> list[ast.expr]:
    """The same, through mixtures with an even distribution: `(1 - u) * p + u / n`."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        parts = _others(value)
        scaled = parts[0] if len(parts) == 1 else None
        if isinstance(scaled, ast.BinOp) and isinstance(scaled.op, ast.Mult):
            return _others(scaled) if len(_others(scaled)) == 1 else []
    divided = isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div)
    if divided and isinstance(value, ast.BinOp) and called_name(value.right) == "sum":
        return [value.left]  # shares of the whole, once more
    return scored_from(value, function)


def _others(value: ast.BinOp) -> list[ast.expr]:
    return [one for one in (value.left, value.right) if not _is_plain(one)]


def _is_plain(value: ast.expr) -> bool:
    """Whether a value is plainly made of numbers: of literals, and of attributes of `self`."""
    if isinstance(value, ast.BinOp):
        return _is_plain(value.left) and _is_plain(value.right)
    return isinstance(value, ast.Constant) or self_attribute(value) is not None
