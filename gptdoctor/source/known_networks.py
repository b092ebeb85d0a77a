"""Which network of the project a value is, and which function a call of it runs."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.all_call_sites import sites_of
from gptdoctor.source.callees import callee_of
from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_calls import CallSite, callers_here
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes, script_of
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.kept import kept
from gptdoctor.source.literals import written_text
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.unparsed import bases_defining

DEEPEST = 4  # from name to name, and from caller to caller
# They give back what they are called on, or given, as a network of the same results.
_SAME = frozenset({"to", "cuda", "cpu", "eval", "train", "half", "float", "double", "bfloat16"})
_WRAPPERS = frozenset({"compile", "DataParallel", "DistributedDataParallel", "prepare_model"})
# Nothing of the project's stands behind these, which is said before anything is looked up.
_OTHERS = ("torch.", "math.", "numpy.", "einops.")
# Under these names a function gets the model of its file, where that has a single one.
_MODEL_NAME = re.compile(r"^(model|net|network|classifier|student|policy|module|m)$")


def function_run(call: ast.Call, function: Function, project: Project) -> Function | None:
    """The function that a call runs: of the project, a method, or `forward` of a network."""
    if (function.module.names.called(call) or "").startswith(_OTHERS):
        return None
    known = callee_of(project, function, call)
    if known is not None:
        return known
    func = call.func
    info = network_at(func, function, project)
    if info is not None:
        return method_of(info, "forward", project)
    if isinstance(func, ast.Attribute):
        info = network_at(func.value, function, project)
        return None if info is None else method_of(info, func.attr, project)
    return None


def method_of(info: ClassInfo, name: str, project: Project) -> Function | None:
    """A method of a class or of its bases in sight."""
    own = [info] if name in info.methods else bases_defining(project, info, name)
    for link in own:
        return functions_of(project, link.module).get(link.methods[name])
    return None


def network_at(
    value: ast.expr, function: Function, project: Project, depth: int = 0
) -> ClassInfo | None:
    """The project's network that a value is, as far as all that it may be agree; else None."""
    if depth > DEEPEST:
        return None
    if isinstance(value, ast.Call):
        return _made(value, function, project, depth)
    own = self_attribute(value)
    if own is not None:
        return _kept(own, function, project, depth)
    if not isinstance(value, ast.Name):
        return None
    if value.id == "self":
        owner = function.owner
        return owner if owner is not None and project.is_network(owner) else None
    bindings = function.reaching(value)
    if not bindings and value.id in function.module.names.aliases:
        return None
    if not bindings and function.node is not script_of(function.module).node:
        function = script_of(function.module)
        bindings = function.bindings.by_name.get(value.id, [])
    return _agreed([_bound(one, function, project, depth) for one in bindings])


def _made(call: ast.Call, function: Function, project: Project, depth: int) -> ClassInfo | None:
    """The network that a call makes, or gives back."""
    name, func = called_name(call), call.func
    if name in _SAME and isinstance(func, ast.Attribute):
        return network_at(func.value, function, project, depth + 1)
    if name in _WRAPPERS and call.args:
        return network_at(call.args[0], function, project, depth + 1)
    called = function.module.names.called(call)
    info = project.class_named(called, function.module) if called else None
    return info if info is not None and project.is_network(info) else None


def _bound(binding: Binding, function: Function, project: Project, depth: int) -> ClassInfo | None:
    if binding.role is Role.ARGUMENT:
        return _given(binding.name, function, project, depth)
    if binding.role is not Role.WHOLE or binding.value is None:
        return None
    return network_at(binding.value, function, project, depth + 1)


def _given(name: str, function: Function, project: Project, depth: int) -> ClassInfo | None:
    """The network that a function gets: by its annotation, its callers, else the file's own."""
    annotated = _annotated(name, function, project)
    if annotated is not None or depth >= DEEPEST:
        return annotated
    given: list[tuple[ast.expr, Function]] = []
    for site in _sites(project, function):
        argument = site.argument(function, name)
        if argument is not None:
            given.append((argument, site.function))
    if given:
        return _agreed([network_at(one, where, project, depth + 1) for one, where in given])
    return only_network(project, function.module) if _MODEL_NAME.match(name) else None


def _sites(project: Project, function: Function) -> list[CallSite]:
    """The calls of a function in its file, those of the script included, or of its class."""
    if function.name == "__init__":
        return sites_of(project, function)
    script = script_of(function.module)
    found = [
        CallSite(script, node, False)
        for node in (own_nodes(script.node) if function.outer is None else ())
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == function.name
    ]
    return [*callers_here(project, function), *found]


def _annotated(name: str, function: Function, project: Project) -> ClassInfo | None:
    arguments = function.node.args
    for one in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
        if one.arg == name and one.annotation is not None:
            note = one.annotation
            named = written_text(note) or function.module.names.qualified(note)
            info = project.class_named(named, function.module) if named else None
            return info if info is not None and project.is_network(info) else None
    return None


def _kept(name: str, function: Function, project: Project, depth: int) -> ClassInfo | None:
    """The network that an attribute holds; where the constructor is given it, as there."""
    owner = function.owner
    values = [] if owner is None else owner.attributes.get(name, [])
    init = None if owner is None else method_of(owner, "__init__", project)
    if init is None:
        return None
    return _agreed([network_at(one, init, project, depth + 1) for one in values])


@kept(64)
def only_network(project: Project, module: SourceModule) -> ClassInfo | None:
    """The network of a file that has a single one, apart from those that it is made of."""
    networks = [one for one in project.classes(module).values() if project.is_network(one)]
    parts = {part for one in networks for part in project.parts(one)}
    whole = [one for one in networks if one not in parts and "forward" in one.methods]
    return whole[0] if len(whole) == 1 and not _imports_models(project, module) else None


def _imports_models(project: Project, module: SourceModule) -> bool:
    """Whether a file imports a network of the project's: what it trains may be that one."""
    return any(
        qualified.rpartition(".")[2][:1].isupper()
        and (info := project.class_named(bound, module) or project.class_named(qualified, module))
        and project.is_network(info)
        for bound, qualified in module.names.aliases.items()
    )


def _agreed(found: list[ClassInfo | None]) -> ClassInfo | None:
    return found[0] if found and all(one is found[0] for one in found) else None
