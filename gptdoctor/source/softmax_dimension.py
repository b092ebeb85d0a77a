"""The dimension along which a softmax runs, as a function, a method or a layer kept in self."""

from __future__ import annotations

import ast

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_turns import number
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import kept_in


def softmax_dimension(call: ast.Call, project: Project, function: Function) -> int | str | None:
    """The dimension of a softmax; "none" where it has none, None where it is not written down."""
    maker, where = call, function
    places = 1
    if self_attribute(call.func):
        kept = kept_in(project, function, self_attribute(call.func) or "")
        if kept is None or not isinstance(kept[0], ast.Call):
            return None
        (maker, where), places = (kept[0], kept[1]), 0
    elif isinstance(call.func, ast.Call):
        maker, places = call.func, 0
    elif not (where.module.names.called(call) or "").startswith("torch."):
        places = 0
    named = {one.arg: one.value for one in maker.keywords}
    if None in named or any(isinstance(one, ast.Starred) for one in maker.args):
        return None
    found = named.get("dim") or named.get("axis")
    found = found or (maker.args[places] if len(maker.args) > places else None)
    return "none" if found is None else number(found)
