"""Where a layer that a constructor makes is kept, and where its class calls it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes
from gptdoctor.source.flow_targets import Role, target_beside
from gptdoctor.source.kept import kept
from gptdoctor.source.mask_uses import own_calls
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project

_STACKS = frozenset({"torch.nn.TransformerEncoder", "torch.nn.TransformerDecoder"})
_LISTS = frozenset({"torch.nn.ModuleList", "torch.nn.Sequential"})


def kept_as(node: ast.AST, parents: tuple[ast.AST, ...], function: Function) -> str | None:
    """The attribute that holds a layer, itself or in a stack or list of its like.

    `parents` are the nodes around the call that makes it, outermost first.
    """
    statement = next((one for one in reversed(parents) if isinstance(one, ast.stmt)), None)
    if statement is None:
        return None
    between = parents[parents.index(statement) + 1 :]
    if isinstance(statement, ast.Expr):
        return _appended_to(between, function)
    if not isinstance(statement, ast.Assign | ast.AnnAssign):
        return None
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    if between and isinstance(between[0], ast.Tuple) and between[0] is statement.value:
        inner = between[1] if len(between) > 1 else node
        target = target_beside(inner, between[0], statement) or target
    made = [function.module.names.called(one) for one in between if isinstance(one, ast.Call)]
    if any(one not in _STACKS | _LISTS for one in made):
        return None
    own = self_attribute(target)
    if own is not None:
        return own
    if isinstance(target, ast.Name) and not made:
        return _stacked_as(target.id, function)
    return None


def _appended_to(between: tuple[ast.AST, ...], function: Function) -> str | None:
    """NAME of `self.NAME.append(layer)`, and of a local list that it is made of."""
    call = between[0] if len(between) == 1 else None
    method = call.func if isinstance(call, ast.Call) else None
    if not isinstance(method, ast.Attribute) or method.attr != "append":
        return None
    if isinstance(method.value, ast.Name):
        return _stacked_as(method.value.id, function)
    return self_attribute(method.value)


def _stacked_as(name: str, function: Function) -> str | None:
    """The attribute whose stack or list is made of a layer, or of those, of a local name."""
    for node in own_nodes(function.node):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            first = node.value.args[0] if node.value.args else None
            first = first.value if isinstance(first, ast.Starred) else first
            stack = function.module.names.called(node.value) in _STACKS | _LISTS
            if stack and isinstance(first, ast.Name) and first.id == name:
                return self_attribute(node.targets[0])
    return None


def calls_of(project: Project, owner: ClassInfo, name: str) -> Iterator[tuple[ast.Call, Function]]:
    """The calls of an attribute, and of the elements of a list in a loop over it."""
    yield from own_calls(project, owner).get(name, [])
    yield from _calls_in_loops(project, owner).get(name, [])


@kept(16)
def _calls_in_loops(
    project: Project, owner: ClassInfo
) -> dict[str, list[tuple[ast.Call, Function]]]:
    """The calls of elements in loops over an attribute, `for block in self.blocks: block(x)`."""
    found: dict[str, list[tuple[ast.Call, Function]]] = {}
    functions = functions_of(project, owner.module)
    for method in owner.methods.values():
        loops = [node for node in own_nodes(method) if isinstance(node, ast.For)]
        if not any(map(_over_own, loops)):
            continue
        for node in own_nodes(method):
            name = _element_of(node, functions[method]) if isinstance(node, ast.Call) else None
            if name is not None and isinstance(node, ast.Call):
                found.setdefault(name, []).append((node, functions[method]))
    return found


def _element_of(call: ast.Call, function: Function) -> str | None:
    """The attribute whose element, in a loop over it, is called."""
    bound = function.reaching(call.func) if isinstance(call.func, ast.Name) else []
    value = bound[0].value if len(bound) == 1 and bound[0].role is Role.ELEMENT else None
    return None if value is None else self_attribute(value)


def _over_own(loop: ast.For) -> bool:
    return any(self_attribute(node) is not None for node in every_node(loop.iter))
