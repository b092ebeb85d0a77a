"""Which temperature a number is made of: a parameter, one that an object keeps, a setting."""

from __future__ import annotations

import ast
from functools import lru_cache

from gptdoctor.source.classes import parameters, self_attribute
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.names import called_name
from gptdoctor.source.temperature import NAME

# Numbers keep their meaning through these: max(temperature, 1e-5).
SCALAR = frozenset({"max", "float", "abs", "tensor", "clamp", "as_tensor"})
DEEPEST = 8


def is_number(value: ast.expr, function: Function) -> bool:
    """Whether a value is plainly a number: a literal, a temperature or what is made of these."""
    if isinstance(value, ast.Constant):
        return isinstance(value.value, int | float)
    return direction(value, function) is not None


def direction(value: ast.expr, function: Function, depth: int = 0) -> tuple[str, int] | None:
    """The temperature that a number is made of, and 1, or -1 where it is the reciprocal.

    A parameter of that name is one; one that calls itself inverse is none.
    """
    if depth > DEEPEST:
        return None
    if isinstance(value, ast.Name):
        return _direction_of_name(value, function, depth)
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div):
        whole = isinstance(value.left, ast.Constant)
        found = direction(value.right, function, depth + 1) if whole else None
        return (found[0], -found[1]) if found else None
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        small = isinstance(value.right, ast.Constant)
        return direction(value.left, function, depth + 1) if small else None
    if isinstance(value, ast.Call) and called_name(value) in SCALAR:
        found_in = (direction(one, function, depth + 1) for one in value.args)
        return next((one for one in found_in if one), None)
    own = self_attribute(value)
    if own is None and isinstance(value, ast.Attribute):
        return (value.attr, 1) if _is_setting(value, function) else None
    known = own is not None and is_temperature(own) and _is_given(own, function)
    return (own, 1) if own is not None and known else None


def _is_setting(value: ast.Attribute, function: Function) -> bool:
    """Whether a temperature is read of what a caller gave: `args.temperature`."""
    root = value.value
    if not isinstance(root, ast.Name) or not is_temperature(value.attr):
        return False
    found = function.bindings.reaching(root.id, (root.lineno, root.col_offset))
    return bool(found) and all(one.role is Role.ARGUMENT for one in found)


def _direction_of_name(name: ast.Name, function: Function, depth: int) -> tuple[str, int] | None:
    found = set()
    for binding in function.bindings.reaching(name.id, (name.lineno, name.col_offset)):
        if binding.role is Role.ARGUMENT:
            found.add((binding.name, 1) if is_temperature(binding.name) else None)
        elif binding.role is Role.WHOLE and binding.value is not None:
            constant = isinstance(binding.value, ast.Constant)  # temperature = 1.0 by default
            found.add(None if constant else direction(binding.value, function, depth + 1))
        else:
            return None
    found_ones = found - {None} if _has_argument(name.id, function) else found
    return found_ones.pop() if len(found_ones) == 1 else None


def _has_argument(name: str, function: Function) -> bool:
    return any(one.arg == name for one in parameters(function.node))


@lru_cache(maxsize=4096)
def is_temperature(name: str) -> bool:
    """Whether a parameter is named as a temperature, and not as the inverse of one."""
    return NAME.search(name) is not None and "inv" not in name.lower()


def _is_given(name: str, function: Function) -> bool:
    """Whether an attribute is assigned nothing but the constructor's argument of its name."""
    values = function.owner.attributes.get(name, []) if function.owner else []
    return bool(values) and all(isinstance(one, ast.Name) and one.id == name for one in values)
