"""Whether a place at which values leave the graph runs in training, and what says it is meant."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from gptdoctor.source.classes import ClassInfo, FunctionNode
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_switches import block_switch, decorator_switch
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.flow_training import INFERENCE_NAME
from gptdoctor.source.forward_path import runs_in_forward
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import called_name

# What the author says at the line.
INTENT = re.compile(
    r"#.*\b(frozen|freez\w+|stop\w*.{0,12}grad\w*|no grad\w*|"
    r"(not|n't|never) (be )?(train|learn)\w*)",
    re.I,
)
# The names of functions that exist to stop gradients.
STOPPING = re.compile(r"(^|[._])(sg|stop_?grad\w*|no_?grad\w*|detach\w*|freeze\w*)$", re.I)


def is_trained(method: FunctionNode, owner: ClassInfo) -> bool:
    """Whether a method is its class's forward, or one that forward calls."""
    if INFERENCE_NAME.search(method.name) or STOPPING.search(method.name):
        return False
    return runs_in_forward(method, owner)


def is_switched_off(function: Function, parents: Iterable[ast.AST]) -> bool:
    """Whether gradients are off here anyway, which is GD101's to judge."""
    blocks = (one for one in parents if isinstance(one, ast.With))
    return bool(decorator_switch(function)) or any(block_switch(one, function) for one in blocks)


def is_on_purpose(
    node: ast.expr, value: ast.expr, around: ast.AST | None, module: SourceModule
) -> bool:
    """Whether a comment says so, the value is a target of a loss, or is passed straight through.

    `value` leaves the graph by `node`, which stands in `around`.
    """
    lines = module.lines[max(node.lineno - 3, 0) : node.end_lineno]
    if any(INTENT.search(line) for line in lines):
        return True
    if isinstance(around, ast.BinOp) and isinstance(around.op, ast.Add | ast.Sub):
        other = text_of(around.right if around.left is node else around.left)
        sides = (value.left, value.right) if isinstance(value, ast.BinOp) else (value,)
        return other in map(text_of, sides)
    return (
        isinstance(around, ast.Call) and node in around.args[1:] and "loss" in called_name(around)
    )
