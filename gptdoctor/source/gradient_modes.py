"""Where a function's text switches gradients off, and where it switches them on again."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Position, Role, end, start
from gptdoctor.source.frames import Frame
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.source.renamed import is_renamed
from gptdoctor.source.statements import SCOPES, bodies_of

OFF = frozenset(
    {
        *("torch.no_grad", "torch.autograd.no_grad", "torch.autograd.grad_mode.no_grad"),
        *("torch.inference_mode", "torch.autograd.inference_mode"),
        "torch.autograd.grad_mode.inference_mode",
    }
)
SETS = frozenset({"torch.set_grad_enabled", "torch.autograd.set_grad_enabled"})
# No switch is written without one of these.
WORDS = ("no_grad", "inference_mode", "set_grad_enabled", "enable_grad")
Switch = tuple[Position, Position, bool]  # from where to where, and whether it switches off
ON = frozenset({"torch.enable_grad", "torch.autograd.enable_grad"})


def is_off(place: ast.AST, frame: Frame) -> bool:
    """Whether no graph is made at a place of a frame: the innermost switch around it says so."""
    around = [
        (first, off)
        for first, last, off in _switches(frame.project, frame.module, frame.function)
        if first <= start(place) <= last
    ]
    return bool(around) and max(around)[1]


@kept(64)
def _switches(
    project: Project, module: SourceModule, function: Function | None
) -> tuple[Switch, ...]:
    """The switches of a function or a script."""
    said = any(word in module.text for word in WORDS) or is_renamed(module, frozenset(WORDS))
    return tuple(_found(Frame(project, module, function))) if said else ()


def _found(frame: Frame) -> Iterator[Switch]:
    """Where each switch of a frame begins and ends, and whether it switches off."""
    node: ast.AST = frame.module.tree if frame.function is None else frame.function.node
    for decorator in getattr(node, "decorator_list", []):
        off = _says(decorator, frame)
        if off is not None:
            yield (0, 0), end(node), off
    yield from _set(node, frame)
    for inner in own_nodes(node):
        if isinstance(inner, ast.With | ast.AsyncWith):
            for item in inner.items:
                off = _says(item.context_expr, frame)
                if off is not None:
                    yield end(item.context_expr), end(inner), off


def _set(function: ast.AST, frame: Frame) -> Iterator[Switch]:
    """`torch.set_grad_enabled(False)` as a statement: off to the end of its block, on for good."""
    if "set_grad_enabled" not in frame.module.text:
        return
    bodies = bodies_of(function)
    for body in bodies:  # it grows on the way
        for statement in body:
            if isinstance(statement, ast.Expr):
                off = _says(statement.value, frame) if _sets(statement.value, frame) else None
                if off is not None:
                    yield end(statement), end(body[-1] if off else function), off
            elif statement.__class__ not in SCOPES:
                bodies += bodies_of(statement)


def _sets(value: ast.expr, frame: Frame) -> bool:
    return frame.module.names.called(value) in SETS


def _says(switch: ast.expr, frame: Frame) -> bool | None:
    """Whether a mode switches gradients off, or None for what is none; unsure ones switch on."""
    if isinstance(switch, ast.Name):  # with a mode that was made before
        made = frame.bindings.reaching(switch.id, start(switch))
        known = made[0].value if len(made) == 1 and made[0].role is Role.WHOLE else None
        switch = switch if known is None or isinstance(known, ast.Name) else known
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
