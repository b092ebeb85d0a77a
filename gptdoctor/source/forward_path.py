"""Which methods of a network run in its forward pass."""

from __future__ import annotations

from gptdoctor.source.called_places import calls_name
from gptdoctor.source.classes import ClassInfo, FunctionNode, self_attribute
from gptdoctor.source.kept import kept
from gptdoctor.source.nodes import calls_below


def runs_in_forward(method: FunctionNode, owner: ClassInfo) -> bool:
    """Whether a method of a class is forward, or one that forward calls by name."""
    forward, name = owner.methods.get("forward"), method.name
    if forward is None or owner.methods.get(name) is not method:
        return False
    if method is forward:
        return True
    return _may_call(owner.module.lines_of(forward), name) and name in _called_by(forward)


def _may_call(text: str, name: str) -> bool:
    """Whether a text may call a name, which is asked first: most methods are called elsewhere."""
    # Python reads some letters as others.
    return not name.isascii() or (name in text and calls_name(name, text))


@kept(64)
def _called_by(forward: FunctionNode) -> frozenset[str]:
    """The methods of its own that a method calls."""
    names = (self_attribute(call.func) for call in calls_below(forward))
    return frozenset(filter(None, names))
