"""Which function of the project a call runs: of the module, of a sibling, or a method of self."""

from __future__ import annotations

import ast

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.source.unparsed import bases_defining, home_of_function


def callee_of(project: Project, function: Function, call: ast.Call) -> Function | None:
    """The function that `call`, which stands in `function`, runs; None where it is not in sight."""
    module, owner = function.module, function.owner
    name = module.names.qualified(call.func) or ""
    if owner is not None and name.startswith(("self.", "cls.")):
        return _method(project, owner, name.partition(".")[2])
    origin, _, last = name.rpartition(".")
    if origin and not _may_be_module(origin, module):
        return None  # a method of something local, as nine of ten are
    home = home_of_function(project, origin, module, last) if origin else module
    if home is None or last not in home.functions:
        return None
    return functions_of(project, home).get(home.functions[last])


def _may_be_module(origin: str, module: SourceModule) -> bool:
    """Whether a dotted name may lead to a module: nothing but an import binds one to a name."""
    names = module.names
    return origin.partition(".")[0] in names.roots or bool(names.stars)


@kept(256)  # a class calls its layers again and again, none of which is a method
def _method(project: Project, owner: ClassInfo, name: str) -> Function | None:
    if "." in name:
        return None
    if name in owner.methods:
        return functions_of(project, owner.module).get(owner.methods[name])
    # Mostly it is a part of the model that is called, and no class need be parsed to say so.
    for link in bases_defining(project, owner, name):
        return functions_of(project, link.module).get(link.methods[name])
    return None
