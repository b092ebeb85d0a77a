"""Where a function's text switches gradients off, and where it switches them on again."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.flow_functions import own_nodes
from gptdoctor.source.flow_targets import Position, end, start
from gptdoctor.source.frames import Frame

OFF = frozenset({"torch.no_grad", "torch.inference_mode", "torch.autograd.no_grad"})
SETS = frozenset({"torch.set_grad_enabled", "torch.autograd.set_grad_enabled"})
ON = frozenset({"torch.enable_grad", "torch.autograd.enable_grad"})


def is_off(place: ast.AST, frame: Frame) -> bool:
    """Whether no graph is made at a place of a frame: the innermost switch around it says so."""
    around = [
        (first, off) for first, last, off in _switches(frame) if first <= start(place) <= last
    ]
    return bool(around) and max(around)[1]


def _switches(frame: Frame) -> Iterator[tuple[Position, Position, bool]]:
    """Where each switch of a frame begins and ends, and whether it switches off."""
    node: ast.AST = frame.module.tree if frame.function is None else frame.function.node
    for decorator in getattr(node, "decorator_list", []):
        off = _says(decorator, frame)
        if off is not None:
            yield (0, 0), end(node), off
    for inner in own_nodes(node):
        if isinstance(inner, ast.With | ast.AsyncWith):
            for item in inner.items:
                off = _says(item.context_expr, frame)
                if off is not None:
                    yield end(item.context_expr), end(inner), off


def _says(switch: ast.expr, frame: Frame) -> bool | None:
    """Whether a mode switches gradients off, or None for what is none; unsure ones switch on."""
    call = switch if isinstance(switch, ast.Call) else None
    name = frame.module.names.qualified(switch if call is None else call.func) or ""
    given = [] if call is None else [*call.args, *(one.value for one in call.keywords)]
    if name in ON:
        return False
    if name in SETS:
        return bool(given) and isinstance(given[0], ast.Constant) and given[0].value is False
    if name not in OFF:
        return None
    return not given or (isinstance(given[0], ast.Constant) and given[0].value is True)
