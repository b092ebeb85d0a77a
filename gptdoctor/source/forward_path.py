"""Which methods of a network run in its forward pass."""

from __future__ import annotations

from gptdoctor.source.classes import ClassInfo, FunctionNode, self_attribute
from gptdoctor.source.kept import kept
from gptdoctor.source.nodes import calls_below


def runs_in_forward(method: FunctionNode, owner: ClassInfo) -> bool:
    """Whether a method of a class is forward, or one that forward calls by name."""
    forward = owner.methods.get("forward")
    if forward is None or owner.methods.get(method.name) is not method:
        return False
    if method is forward:
        return True
    if f"self.{method.name}(" not in owner.module.text:
        return False  # a cheap look: most methods are called from elsewhere
    return method.name in _called_by(forward)


@kept(64)
def _called_by(forward: FunctionNode) -> frozenset[str]:
    """The methods of its own that a method calls."""
    names = (self_attribute(call.func) for call in calls_below(forward))
    return frozenset(filter(None, names))
