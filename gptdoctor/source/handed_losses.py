"""Where a loss module that has a name is called: here, by a global name, and where it is given."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.frames import Frame
from gptdoctor.source.nodes import calls_below
from gptdoctor.source.project import Project
from gptdoctor.source.scripts import script_of

Called = tuple[Function, ast.Call]  # the function in which it is called, and the call


def calls_of_name(
    name: str, built: ast.Call, function: Function, project: Project
) -> Iterator[Called]:
    """The calls of what is `built` under a local name, each once."""
    found = {call: where for where, call in _calls(name, built, function, project)}
    yield from ((where, call) for call, where in found.items())


def _calls(name: str, built: ast.Call, function: Function, project: Project) -> Iterator[Called]:
    for node in own_nodes(function.node):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == name:
            if _is(node.func, built, function):
                yield function, node
        elif any(_is(one, built, function) for one in _given(node) if _named(one, name)):
            yield from _where_given(name, node, function, project)
    if function is script_of(function.module):
        yield from _as_global(name, built, function, project)


def _is(value: ast.expr, built: ast.Call, function: Function) -> bool:
    """Whether a name holds what is built and nothing else, where it is read."""
    bindings = function.reaching(value) if isinstance(value, ast.Name) else []
    return all(one.role is Role.WHOLE and one.value is built for one in bindings)


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(one.value for one in call.keywords)]


def _named(value: ast.expr, name: str) -> bool:
    return isinstance(value, ast.Name) and value.id == name


def _as_global(
    name: str, built: ast.Call, script: Function, project: Project
) -> Iterator[Called]:
    """Where functions of the file call a name of the script's, that holds nothing else."""
    if [one.value for one in script.bindings.by_name.get(name, [])] != [built]:
        return
    for function in functions_of(project, script.module).values():
        for call in calls_below(function.node) if f"{name}(" in function.text else ():
            if _named(call.func, name) and isinstance(call.func, ast.Name):
                if not function.reaching(call.func):
                    yield function, call


def _where_given(
    name: str, call: ast.Call, function: Function, project: Project
) -> Iterator[Called]:
    """Where the function that is given the loss calls it, or a class keeps it and calls it."""
    frame = Frame(project, function.module, function)
    callee = frame.called(call)
    if callee is None:
        info = project.class_named(function.module.names.called(call) or "", function.module)
        maker = None if info is None else info.methods.get("__init__")
        if info is None or maker is None:
            return
        callee = functions_of(project, info.module)[maker]
    for parameter, value in frame.enter(callee, call).given.items():
        if _named(value, name):
            yield from _calls_of_argument(parameter, callee, project)


def _calls_of_argument(parameter: str, callee: Function, project: Project) -> Iterator[Called]:
    for call in calls_below(callee.node):
        if _named(call.func, parameter) and isinstance(call.func, ast.Name):
            if all(one.role is Role.ARGUMENT for one in callee.reaching(call.func)):
                yield callee, call
    owner = callee.owner
    if callee.name != "__init__" or owner is None:
        return
    kept = [
        name
        for name, values in owner.attributes.items()
        if len(values) == 1 and _named(values[0], parameter)
    ]
    functions = functions_of(project, owner.module)
    for method in owner.methods.values() if kept else ():
        for call in calls_below(method):
            if self_attribute(call.func) in kept:
                yield functions[method], call
