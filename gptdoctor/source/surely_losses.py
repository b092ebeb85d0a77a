"""Whether a value is surely made by a loss of torch's, whatever its name."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.frames import Frame
from gptdoctor.source.nodes import calls_below

_FUNCTION = re.compile(r"^torch\.nn\.functional\.(\w*loss|\w*cross_entropy\w*|kl_div)$")
_MODULE = re.compile(r"^torch\.nn\.(modules\.loss\.)?\w+Loss$")
_OUTCOME = re.compile(r"(^|_)loss$")  # `outputs.loss`


def is_surely_loss(value: ast.expr, frame: Frame) -> bool:
    """Whether a loss of torch's is a part of a value, by function, by module, or as an output."""
    if isinstance(value, ast.Attribute):
        return _OUTCOME.search(value.attr) is not None
    return any(_calls_loss(call, frame) for call in calls_below(value))


def _calls_loss(call: ast.Call, frame: Frame) -> bool:
    called = frame.module.names.called
    if _FUNCTION.match(called(call) or ""):
        return True
    made = [call.func] if isinstance(call.func, ast.Call) else frame.attribute_values(call.func)
    if isinstance(call.func, ast.Name):
        made = [one.value for one in frame.bound(call.func.id)[1] if one.value is not None]
    return bool(made) and all(_makes_loss(one, frame) for one in made)


def _makes_loss(value: ast.expr, frame: Frame) -> bool:
    """`nn.CrossEntropyLoss()`, moved to a device or not."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        if not isinstance(value.func.value, ast.Call):
            break
        value = value.func.value
    return _MODULE.match(frame.module.names.called(value) or "") is not None
