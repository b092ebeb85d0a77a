"""Whether the numbers of a value come from what a function was given."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import children

# What tells of a tensor without its numbers.
_FORM = frozenset(
    {"shape", "size", "dtype", "device", "ndim", "dim", "numel", "len", "zeros_like", "ones_like"}
    | {"new_zeros", "new_ones", "type_as"}
)
DEEPEST = 40  # bindings between a value and an argument


def is_made_of_input(value: ast.expr, function: Function) -> bool:
    """Whether a value is made of what the caller gave, and not of its form alone."""
    seen: set[Binding] = set()
    queue: list[ast.expr] = [value]
    while queue and len(seen) < DEEPEST:
        for name in _contents(queue.pop(), function):
            for binding in function.reaching(name, carried=True):
                if binding.role is Role.ARGUMENT:
                    return True
                if binding not in seen and binding.value is not None:
                    seen.add(binding)
                    queue.append(binding.value)
    return False


def _contents(value: ast.expr, function: Function) -> Iterator[ast.Name]:
    """The names in a value whose numbers count, and not their sizes, types or devices.

    What a method of the class makes of them may be a table that is only as long as they are.
    """
    stack: list[ast.AST] = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name):
            if node.id != "self":
                yield node
        elif not _tells_form(node) and not _is_own_method(node, function):
            stack.extend(children(node))


def _tells_form(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in _FORM
    if isinstance(node, ast.keyword):
        return node.arg in _FORM
    return isinstance(node, ast.Call) and called_name(node) in _FORM


def _is_own_method(node: ast.AST, function: Function) -> bool:
    name = self_attribute(node.func) if isinstance(node, ast.Call) else None
    layers = function.owner.attributes if function.owner is not None else {}
    return name is not None and name not in layers
