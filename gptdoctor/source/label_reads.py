"""Labels that a function takes, and asks for nothing but whether they were given."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.classes import parameters
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.loss_calls import LossCall, loss_of
from gptdoctor.source.nodes import every_node

LABELS = frozenset({"labels", "targets", "label", "target", "lm_labels"})
FORM = frozenset({"shape", "size", "device", "dtype", "ndim", "dim"})
# By these a function hands on names that it does not write.
HANDED_ON = frozenset({"locals", "vars", "eval", "exec", "kwargs"})


def unread_labels(function: Function) -> list[str]:
    """The parameters for labels that are tested, if at all, and go nowhere."""
    given = [one.arg for one in parameters(function.node) if one.arg in LABELS]
    if not given or function.node.decorator_list:
        return []
    parents = {
        child: node for node in every_node(function.node) for child in ast.iter_child_nodes(node)
    }
    reads = [
        node for node in parents if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    ]
    if any(one.id in HANDED_ON for one in reads):
        return []
    used = {one.id for one in reads if not _is_asked(one, parents)}
    return [name for name in given if name not in used]


def losses_in(function: Function) -> Iterator[LossCall]:
    """The losses of torch that a function calls by itself."""
    for node in own_nodes(function.node):
        loss = loss_of(node, function) if isinstance(node, ast.Call) else None
        if loss is not None:
            yield loss


def _is_asked(name: ast.Name, parents: dict[ast.AST, ast.AST]) -> bool:
    """`labels is None`, `if labels:` and `labels.shape`: its values go nowhere."""
    parent = parents[name]
    if isinstance(parent, ast.Attribute):
        return parent.attr in FORM
    if isinstance(parent, ast.Compare):
        return all(isinstance(one, ast.Is | ast.IsNot) for one in parent.ops)
    if isinstance(parent, ast.If | ast.IfExp):
        return parent.test is name
    return isinstance(parent, ast.BoolOp | ast.UnaryOp | ast.Assert)
