"""Expressions that take a value off the graph, and where what they make of it goes on."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import start
from gptdoctor.source.flow_uses import Uses
from gptdoctor.source.kept import kept
from gptdoctor.source.names import called_name

# Methods that take a tensor off the graph, and functions that do so with what they are given.
LEAVING = ("detach", "item", "tolist", "numpy")
_COPYING = frozenset({"float", "tensor", "new_tensor"})
# These take a tensor as it is, and of several the numbers alone.
_JOINING = frozenset({"as_tensor", "Tensor", "FloatTensor"})
TAKING = (*sorted(_COPYING), *sorted(_JOINING))
# How all that `cut_value` knows is written.
CUTTING = re.compile(r"(?:detach|item|tolist|numpy|float|[Tt]ensor)[\s\\)]*\(|\.\s*data\b")
# What goes on with a number or an array, and what makes a tensor of one again.
ONWARD = frozenset(
    {"numpy", "tolist", "item", "cpu", "float", "tensor", "as_tensor", "from_numpy", "new_tensor"}
)
_SEVERAL = (ast.List, ast.Tuple, ast.ListComp)


def cut_value(node: ast.AST) -> ast.expr | None:
    """The value that an expression takes off the graph, or None."""
    if isinstance(node, ast.Attribute):
        return node.value if node.attr == "data" and isinstance(node.ctx, ast.Load) else None
    if not isinstance(node, ast.Call):
        return None
    name = called_name(node)
    if isinstance(node.func, ast.Attribute) and name in LEAVING:
        if node.args:  # torch.detach(x)
            return node.args[0] if name == "detach" else None
        return node.func.value
    if not node.args or (name == "float" and isinstance(node.func, ast.Attribute)):
        return None
    several = name in _JOINING and isinstance(node.args[0], _SEVERAL)
    return node.args[0] if name in _COPYING or several else None


@kept(8)
def several_cuts(function: Function) -> list[ast.expr]:
    """What leaves the graph in a function, in the order of the text; nothing if it is one value."""
    if len(CUTTING.findall(function.text)) < 2:
        return []
    found = (cut_value(node) for node in own_nodes(function.node))
    return sorted((one for one in found if one is not None), key=start)


class Onward(Uses):
    """Where a value goes that has left the graph: it may go on as a number or an array."""

    def _ends(self, parent: ast.AST, node: ast.AST) -> bool:
        if isinstance(parent, ast.Attribute) and parent.attr in ONWARD:
            return False
        if isinstance(parent, ast.Call) and called_name(parent) in ONWARD:
            return False
        return super()._ends(parent, node)
