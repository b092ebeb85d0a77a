"""Where a class calls a loss module that its constructor is given."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.nodes import calls_below
from gptdoctor.source.project import Project


def calls_in_class(
    name: str, made: ast.Call, project: Project, function: Function
) -> Iterator[tuple[Function, ast.Call]]:
    """The calls of `self.criterion(...)` in the class of `Trainer(model, criterion)`."""
    module = function.module
    info = project.class_named(module.names.called(made) or "", module)
    maker = None if info is None else info.methods.get("__init__")
    if info is None or maker is None:
        return
    functions = functions_of(project, info.module)
    given = dict(zip(functions[maker].parameter_names, made.args, strict=False))
    given |= {one.arg: one.value for one in made.keywords if one.arg}
    parameters = {one for one, value in given.items() if getattr(value, "id", "") == name}
    kept = {
        attribute
        for attribute, values in info.attributes.items()
        if len(values) == 1 and getattr(values[0], "id", "") in parameters
    }
    for method in info.methods.values() if kept else ():
        for call in calls_below(method):
            if self_attribute(call.func) in kept:
                yield functions[method], call
