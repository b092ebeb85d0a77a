"""The names by which a module may call what its project defines."""

from __future__ import annotations

import ast
from weakref import WeakKeyDictionary

from gptdoctor.source.module import SourceModule
from gptdoctor.source.places import Origin
from gptdoctor.source.project import Project
from gptdoctor.source.told import NAMES


def names_within(project: Project, module: SourceModule) -> frozenset[str]:
    """The last names by which a module's text may call a class or function of the project.

    Whether what is imported is the project's is asked where it is called: to ask it of all that
    is imported takes longer than all calls.
    """
    found = set(module.functions)
    found.update(symbol.rpartition(".")[2] for symbol in project.classes(module))
    found.update(module.names.aliases)
    own: dict[str, bool] = {}
    held: dict[str, bool] = {}
    for bound, qualified in module.names.aliases.items():
        origin = qualified.rpartition(".")[0]
        if origin not in held:
            held[origin] = _may_hold_modules(project, module, origin, own)
        if not held[origin] or project.resolve(qualified, module).own is None:
            continue  # no module of which something is called
        if _leads_on(module.text, bound):
            found |= _names_in(project, module, qualified)
    for node in module.imports:
        for alias in node.names if isinstance(node, ast.Import) else ():
            found |= _names_in(project, module, alias.name)
    return frozenset(found)


_NAMES: WeakKeyDictionary[SourceModule, frozenset[str]] = WeakKeyDictionary()


def _names_in(project: Project, module: SourceModule, dotted: str) -> frozenset[str]:
    """The names of a module of the project, of which anything may be called."""
    home = project.module(dotted, module, NAMES)
    if home is None:
        return frozenset()
    if home not in _NAMES:
        classes = (symbol.rpartition(".")[2] for symbol in project.classes(home))
        _NAMES[home] = frozenset((*home.functions, *home.names.aliases, *classes))
    return _NAMES[home]


def _leads_on(text: str, name: str) -> bool:
    """Whether a name stands somewhere before a dot."""
    if f"{name}." in text:
        return True
    at = text.find(name)
    while at >= 0:
        at += len(name)
        following = text[at : at + 1]
        # The dot may follow behind a space, or on the next line.
        spaced = following == "\\" or following.isspace()
        if spaced and text[at : at + 80].lstrip().startswith((".", "\\")):
            return True
        at = text.find(name, at)
    return False


def _may_hold_modules(
    project: Project, module: SourceModule, dotted: str, tops: dict[str, bool]
) -> bool:
    """Whether a dotted name may be a package of the project."""
    top = dotted.partition(".")[0]
    if top not in tops:
        tops[top] = bool(top) and _may_be_own(project, module, top)
    own = dotted if tops[top] else ""
    while own and project.resolve(own, module).origin is not Origin.PROJECT:
        own = own.rpartition(".")[0]
    file = project.resolve(dotted, module).file if own else None
    return bool(own) and (file is None or file.name == "__init__.py")


def _may_be_own(project: Project, module: SourceModule, top: str) -> bool:
    """Whether a name that begins with `top` may be one of the project: one look for all of them."""
    if project.resolve(top, module).origin is Origin.PROJECT or project.overlay:
        return True
    return any(
        project.places.holds(folder, top) for folder in project.places.own_folders(module, top)
    )
