"""Which methods of a network run in its forward pass."""

from __future__ import annotations

import ast

from gptdoctor.source.classes import ClassInfo, FunctionNode, self_attribute
from gptdoctor.source.nodes import every_node


def runs_in_forward(method: FunctionNode, owner: ClassInfo) -> bool:
    """Whether a method of a class is forward, or one that forward calls by name."""
    forward = owner.methods.get("forward")
    if forward is None or owner.methods.get(method.name) is not method:
        return False
    if method is forward:
        return True
    if f"self.{method.name}(" not in owner.module.text:
        return False  # a cheap look: most methods are called from elsewhere
    callees = (one.func for one in every_node(forward) if isinstance(one, ast.Call))
    return any(self_attribute(one) == method.name for one in callees)
