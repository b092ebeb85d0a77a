"""What a function's parameters hold, by their annotations, defaults and names."""

from __future__ import annotations

import ast

from gptdoctor.source.classes import defaults_of
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_operations import ACTIVATION_NAME, PLAIN_ANNOTATION, PLAIN_NAME, TENSOR
from gptdoctor.source.flow_targets import text_of


def is_plain(function: Function, name: str) -> bool:
    """Whether a parameter holds integers, masks or settings: by annotation, default or name."""
    every = function.node.args
    for one in [*every.posonlyargs, *every.args, *every.kwonlyargs]:
        if one.arg == name:
            default = defaults_of(every).get(name)
            plain = is_plain_annotation(one.annotation) or _is_number(default)
            return plain or PLAIN_NAME.search(name) is not None
    return PLAIN_NAME.search(name) is not None


def is_plain_annotation(annotation: ast.expr | None) -> bool:
    """Whether a type says integers, truth values or settings."""
    text = text_of(annotation) if annotation else ""
    return PLAIN_ANNOTATION.search(text) is not None and TENSOR.search(text) is None


def _is_number(default: ast.expr | None) -> bool:
    """Whether a default is a number or a text; None says nothing of what else may be given."""
    if isinstance(default, ast.UnaryOp):
        default = default.operand
    return isinstance(default, ast.Constant) and default.value is not None


def is_activation(name: str) -> bool:
    """Whether a parameter of this name holds what layers pass on, not what the data give."""
    return ACTIVATION_NAME.search(name) is not None
