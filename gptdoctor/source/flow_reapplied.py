"""Layers that run without gradient first and with gradient on their own result afterwards."""

from __future__ import annotations

import ast

from gptdoctor.source.flow_escapes import Escapes
from gptdoctor.source.flow_experts import values_in
from gptdoctor.source.flow_functions import own_nodes
from gptdoctor.source.flow_sources import NOTHING, learned
from gptdoctor.source.flow_targets import start
from gptdoctor.source.nodes import every_node


def reapplied(name: str, escapes: Escapes) -> set[str]:
    """What learns through a later call that takes the value `name` of a stretch.

    Deep equilibria and recycled predictions iterate a layer without gradient and differentiate
    its last application only; the layer learns all the same.
    """
    function, bound = escapes.function, escapes.bound().get(name, [])
    found: set[str] = set()
    for node in own_nodes(function.node):
        if not isinstance(node, ast.Call) or escapes.inside(start(node)):
            continue
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        takes = any(
            isinstance(one, ast.Name)
            and one.id == name
            and any(binding in bound for binding in function.reaching(one, carried=True))
            for argument in given
            for one in values_in(argument)
        )
        if takes:
            brought = escapes.gradients.of(node.func, function) if _is_layer(node) else NOTHING
            found |= set(learned(brought))
    return found


def _is_layer(call: ast.Call) -> bool:
    """`self.cell(...)` or `cell(...)`; a method of a computed value is no layer."""
    return not any(isinstance(node, ast.Call) for node in every_node(call.func))
