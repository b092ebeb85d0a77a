"""The names by which a module may call what its project defines."""

from __future__ import annotations

import ast
from weakref import WeakKeyDictionary

from gptdoctor.source.module import SourceModule
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
    held: dict[str, bool] = {}
    for bound, qualified in module.names.aliases.items():
        origin = qualified.rpartition(".")[0]
        if origin not in held:
            held[origin] = bool(origin) and project.may_be_package(origin, module)
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
