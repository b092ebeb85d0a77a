"""The limits that gradients are clipped to."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.nodes import every_node
from gptdoctor.source.training_events import Event

# No gradient is as long as this: the call is there for the norm that it returns.
ENDLESS = 1e5
DEEPEST = 4  # from name to name


def only_measures(call: ast.Call) -> bool:
    """Whether the limit is so high that the call only tells the norm."""
    return any("inf" in text_of(one) or _is_endless(one) for one in _limits(call))


def limit_says(clip: Event, word: str) -> bool:
    """Whether a word stands in the limit of a clip, or in what its names were computed of."""
    limits = _limits(clip.node) if isinstance(clip.node, ast.Call) else []
    return any(word in text for one in limits for text in _texts(one, clip.frame, 0))


def _limits(call: ast.Call) -> list[ast.expr]:
    named = [one.value for one in call.keywords if one.arg in ("max_norm", "clip_value")]
    return [*call.args[1:2], *named]


def _is_endless(limit: ast.expr) -> bool:
    number = limit.value if isinstance(limit, ast.Constant) else None
    return isinstance(number, int | float) and number >= ENDLESS


def _texts(value: ast.expr, frame: Frame, depth: int) -> Iterator[str]:
    """A value as it is written, and what its names were given, here or by the caller."""
    yield text_of(value)
    for node in every_node(value) if depth < DEEPEST else ():
        if not isinstance(node, ast.Name):
            continue
        if node.id in frame.given and frame.caller is not None:
            yield from _texts(frame.given[node.id], frame.caller, depth + 1)
            continue
        home, bindings = frame.bound(node.id)
        for one in bindings:
            if one.value is not None:
                yield from _texts(one.value, home, depth + 1)
