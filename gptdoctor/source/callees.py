"""Which function of the project a call runs: of the module, of a sibling, or a method of self."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.kept import kept
from gptdoctor.source.lineage import Link
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project


def callee_of(project: Project, function: Function, call: ast.Call) -> Function | None:
    """The function that `call`, which stands in `function`, runs; None where it is not in sight."""
    module, owner = function.module, function.owner
    name = module.names.qualified(call.func) or ""
    if owner is not None and name.startswith(("self.", "cls.")):
        return _method(project, owner, name.partition(".")[2])
    origin, _, last = name.rpartition(".")
    if origin:
        if not _may_be_module(origin, module):
            return None  # a method of something local, as nine of ten are
        seen = project.home(origin, module, last)
        if seen is None or last not in seen.functions:  # an outline has the names of all of them
            return None
    home = project.module(origin, module, last) if origin else module
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
    told = project.lineage(owner)
    # Mostly it is a part of the model that is called, and no class need be parsed to say so.
    bases: Iterable[ClassInfo] = (
        project.bases(owner) if told is None else _defining(project, told.bases, name)
    )
    for link in bases:
        if name in link.methods:
            return functions_of(project, link.module).get(link.methods[name])
    return None


def _defining(project: Project, bases: tuple[Link, ...], name: str) -> Iterator[ClassInfo]:
    """Those of some classes that may define a method, parsed one after the other."""
    found = (project.parsed(link) for link in bases if _may_define(link, name))
    return (info for info in found if info is not None)


def _may_define(link: Link, name: str) -> bool:
    """Whether a class has a method, as far as its text tells where it is not parsed."""
    if isinstance(link, ClassInfo):
        return name in link.methods
    own = name in link.home.functions and name in link.text
    return own and re.search(rf"\bdef\s+{name}\b", link.text) is not None
