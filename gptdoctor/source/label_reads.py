"""Labels that a function takes, and asks for nothing but whether they were given."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.classes import FunctionNode, parameter_names
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.kept import kept
from gptdoctor.source.loss_calls import LossCall, loss_of
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import children, inner_nodes

LABELS = frozenset({"labels", "targets", "label", "target", "lm_labels"})
FORM = frozenset({"shape", "size", "device", "dtype", "ndim", "dim"})
# By these a function hands on names that it does not write.
HANDED_ON = frozenset({"locals", "vars", "eval", "exec", "kwargs"})


def takes_labels(node: FunctionNode) -> bool:
    """Whether labels may be among the parameters that nobody reads: what a decorator does is open.

    The first question by far: most functions take none.
    """
    if node.decorator_list:
        return False
    taken = node.args
    names = [one.arg for one in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)]
    return not LABELS.isdisjoint(names)


@kept(32)
def unread_labels(function: Function) -> tuple[str, ...]:
    """The parameters for labels that are tested, if at all, and go nowhere."""
    given = [name for name in parameter_names(function.node) if name in LABELS]
    if not takes_labels(function.node):
        return ()
    used: set[str] = set()
    for parent in inner_nodes(function.node):
        for name in children(parent):
            if not isinstance(name, ast.Name) or not isinstance(name.ctx, ast.Load):
                continue
            if name.id in HANDED_ON:
                return ()
            fresh = name.id in LABELS and name.id not in used
            if fresh and not _is_asked(name, parent) and _is_given(name, function):
                used.add(name.id)
    return tuple(name for name in given if name not in used)


def _is_given(name: ast.Name, function: Function) -> bool:
    """Whether a name may still hold what was given: `labels = ids` puts something else there."""
    found = function.reaching(name, carried=True)
    return not found or any(one.role is not Role.WHOLE for one in found)


def losses_in(function: Function) -> Iterator[LossCall]:
    """The losses of torch that a function calls by itself."""
    for node in own_nodes(function.node):
        loss = loss_of(node, function) if isinstance(node, ast.Call) else None
        if loss is not None:
            yield loss


def _is_asked(name: ast.Name, parent: ast.AST) -> bool:
    """`labels is None`, `if labels:`, `labels.shape`, `zeros_like(labels)`: no value is used."""
    if isinstance(parent, ast.Attribute):
        return parent.attr in FORM
    if isinstance(parent, ast.Call):
        return called_name(parent).endswith("_like") and parent.args[:1] == [name]
    if isinstance(parent, ast.Compare):
        return all(isinstance(one, ast.Is | ast.IsNot) for one in parent.ops)
    if isinstance(parent, ast.If | ast.IfExp):
        return parent.test is name
    return isinstance(parent, ast.BoolOp | ast.UnaryOp | ast.Assert)
