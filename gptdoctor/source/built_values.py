"""By which calls a value was built that is called itself: a network, a loss, a stack of layers."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from gptdoctor.source.all_call_sites import sites_of
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_attributes import attributes_of
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function, script_of
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project

# Methods that give back the module they are called on.
SAME = frozenset({"to", "cuda", "cpu", "half", "float", "bfloat16", "double", "train", "eval"})
# What runs the module that it is given, and gives what that gives.
WRAPPERS = re.compile(r"^(torch\.(compile|nn\.(parallel\.)?(Distributed)?DataParallel))$|\.DDP$")
# Hand back, in their order, what they are given.
PREPARES = frozenset({"prepare", "setup"})
DEEPEST = 8  # names, wrappers and callers followed one after another


@dataclass(frozen=True, eq=False)
class Built:
    """A call that builds a value, and the function in which it stands."""

    call: ast.Call
    function: Function


def built_by(value: ast.expr, function: Function, project: Project) -> list[Built]:
    """All calls by which a value may have been built; [] where one of its ways is not in sight."""
    found = _found(value, function, project, 0)
    return found or []


def _found(
    value: ast.expr | None, function: Function, project: Project, depth: int
) -> list[Built] | None:
    """The same, and None where something is out of sight."""
    if value is None or depth > DEEPEST:
        return None
    if isinstance(value, ast.Call):
        inner = _inside(value, function)
        if inner is not None:
            return _found(inner, function, project, depth + 1)
        return [Built(value, function)]
    if isinstance(value, ast.IfExp):
        parts = [_found(one, function, project, depth + 1) for one in (value.body, value.orelse)]
        return _joined(parts)
    if isinstance(value, ast.Name):
        return _named(value, function, project, depth)
    own = self_attribute(value)
    if own is None or function.owner is None:
        return None
    kept = attributes_of(project, function.owner).assigned.get(own, [])
    return _joined([_found(one.value, one.function, project, depth + 1) for one in kept])


def _inside(call: ast.Call, function: Function) -> ast.expr | None:
    """The module that a call gives back or wraps: of `net.to(device)`, `DataParallel(net)`."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in SAME:
        return call.func.value
    wraps = WRAPPERS.search(function.module.names.called(call) or "")
    return call.args[0] if wraps and call.args else None


def _named(name: ast.Name, function: Function, project: Project, depth: int) -> list[Built] | None:
    bindings = function.reaching(name)
    if bindings:
        return _joined([_bound(one, function, project, depth) for one in bindings])
    script = script_of(function.module)
    if function is script or name.id in function.module.names.aliases:
        return None
    globals_ = script.bindings.by_name.get(name.id, [])
    return _joined([_bound(one, script, project, depth) for one in globals_])


def _bound(
    binding: Binding, function: Function, project: Project, depth: int
) -> list[Built] | None:
    if binding.role is Role.WHOLE:
        return _found(binding.value, function, project, depth + 1)
    if binding.role is Role.ITEM and called_name(binding.value) in PREPARES:
        given = binding.value.args if isinstance(binding.value, ast.Call) else []
        index = binding.index or 0
        one = given[index] if index < len(given) else None
        return _found(one, function, project, depth + 1)
    if binding.role is not Role.ARGUMENT:
        return None
    home = _home(binding, function)
    sites = [] if home is None else sites_of(project, home)
    given_at = [(one.argument(home, binding.name), one.function) for one in sites if home]
    return _joined([_found(value, where, project, depth + 1) for value, where in given_at])


def _home(binding: Binding, function: Function) -> Function | None:
    """The function whose argument a binding is: this one, or one around it."""
    around: Function | None = function
    while around is not None and binding not in around.bindings.by_name.get(binding.name, []):
        around = around.outer
    return around


def _joined(parts: list[list[Built] | None]) -> list[Built] | None:
    known = [one for one in parts if one is not None]
    return [one for part in known for one in part] if parts and len(known) == len(parts) else None
