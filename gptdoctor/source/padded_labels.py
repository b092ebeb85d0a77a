"""Labels that a file fills up to the longest of a batch with a number that is a class."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.flow_turns import number
from gptdoctor.source.kept import kept
from gptdoctor.source.label_offsets import FLATTENS
from gptdoctor.source.loss_calls import LossCall
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.value_ways import keyword, shaped_from, ways_of

PADS = "pad_sequence"
# A file or a function that says one of these may leave padding out in a way of its own.
_LEFT_OUT = re.compile(r"ignore_index|-\s*100\b")
_KEPT_APART = re.compile(r"mask|lengths|\blens\b|pack", re.IGNORECASE)


def padded_labels(loss: LossCall, project: Project) -> str:
    """What fills the labels of a loss up, that a loop takes of batches; "" where nothing does."""
    module = loss.function.module
    if PADS not in module.text or _LEFT_OUT.search(module.text):
        return ""
    if loss.setting("weight") or loss.setting("reduction") or _KEPT_APART.search(_own(loss)):
        return ""
    ways = ways_of(loss.targets, loss.function, shaped_from)
    taken = [one for one in ways if one.binding and one.binding.role is Role.ELEMENT]
    rows = all(any(called_name(step) in FLATTENS for step in one.steps) for one in taken)
    if not taken or len(taken) < len(ways) or not rows:
        return ""
    found = collated(project, module)
    return found[0] if len(set(found)) == 1 else ""


def _own(loss: LossCall) -> str:
    """The statements around a loss, without a script's functions."""
    return loss.function.text if loss.function.name else ""


@kept(16)
def collated(project: Project, module: SourceModule) -> list[str]:
    """What the functions of a file fill the second of the two up with that they return."""
    return [
        value
        for function in functions_of(project, module).values()
        if PADS in function.text
        for returned in function.returned
        if isinstance(returned, ast.Tuple) and len(returned.elts) > 1
        for value in _fillings(returned.elts[1], function)
    ]


def _fillings(value: ast.expr, function: Function) -> list[str]:
    ways = ways_of(value, function, shaped_from)
    calls = [one.source for one in ways if called_name(one.source) == PADS]
    given = [_filling(one) for one in calls if isinstance(one, ast.Call)]
    return given if len(given) == len(ways) else []


def _filling(call: ast.Call) -> str:
    told = keyword(call, "padding_value") or (call.args[2] if len(call.args) > 2 else None)
    filling = 0 if told is None else number(told)
    return "" if filling is None or filling < 0 else str(filling)
