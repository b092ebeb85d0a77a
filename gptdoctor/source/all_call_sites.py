"""The calls of a function, those of a script and of constructors included."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.flow_calls import CallSite, callers
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes, script_of
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project


def sites_of(project: Project, function: Function) -> list[CallSite]:
    """The call sites of a function; of a constructor, where its class is called."""
    owner, module = function.owner, function.module
    if function.name == "__init__" and owner is not None:
        return [
            site
            for site in _calls_of(project, module, owner.name)
            if module.names.called(site.node) == owner.name
        ]
    found = callers(project, function)
    if not function.method and function.outer is None:
        script = script_of(module)
        for node in own_nodes(script.node):
            if isinstance(node, ast.Call) and module.names.called(node) == function.name:
                found.append(CallSite(script, node, False))
    return found


def _calls_of(project: Project, module: SourceModule, name: str) -> Iterator[CallSite]:
    for function in (*functions_of(project, module).values(), script_of(module)):
        for node in own_nodes(function.node) if name in function.text else ():
            if isinstance(node, ast.Call) and called_name(node) == name:
                yield CallSite(function, node, False)
