"""Who calls a function: the call sites in its module, and in the modules that import it."""

from __future__ import annotations

import ast
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gptdoctor.source.called_places import may_make, places_called
from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.flow_attributes import attributes_of
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes
from gptdoctor.source.flow_targets import Role, root_name, without_subscripts
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import scope_inner_nodes
from gptdoctor.source.project import Project
from gptdoctor.source.told import EVERYTHING
from gptdoctor.source.unparsed import descends_from

# Methods of Python's own containers and texts: `parts.append(x)` calls no method of the project's
# unless the receiver is known.
BUILTIN_METHODS = frozenset(name for kind in (list, dict, set, str) for name in dir(kind))
# A folder with more files is a library, not one model: its modules are taken one by one.
MOST_NEIGHBOURS = 200
# Their modules hold functions of their own: `F.interpolate(x)` calls no method of the project's.
LIBRARIES = sys.stdlib_module_names | {"torch", "numpy", "scipy"}
SKIPPED_FOLDERS = frozenset({"site-packages", "node_modules", ".venv", "venv", ".git"})


@dataclass(frozen=True, eq=False)
class CallSite:
    """One call of a function, or one place where it is handed on as a value."""

    function: Function  # in which it stands
    node: ast.Call
    handed_on: bool  # an argument of `node`, as in checkpoint(self._inner, x)

    def argument(self, callee: Function, name: str) -> ast.expr | None:
        """What this call gives for a parameter, where that can be read."""
        arguments = self.node.args[1:] if self.handed_on else self.node.args
        for keyword in self.node.keywords:
            if keyword.arg == name:
                return keyword.value
        if name not in callee.parameter_names:
            return None
        index = callee.parameter_names.index(name)
        if any(isinstance(one, ast.Starred) for one in arguments[: index + 1]):
            return None
        return arguments[index] if index < len(arguments) else None


def callers(project: Project, callee: Function) -> list[CallSite]:
    """The call sites of a function: those of its own module, else of the modules beside it."""
    here = callers_here(project, callee)
    if here:
        return here
    return [
        site
        for module in _importers(project, callee)
        for site in _callers_in(project, callee, module)
    ]


def callers_here(project: Project, callee: Function) -> list[CallSite]:
    """The call sites of a function in its own module."""
    return list(_callers_in(project, callee, callee.module))


class _Sites:
    """The call sites of a module; only the functions whose text calls a name are walked for it."""

    def __init__(self, module: SourceModule, functions: Iterable[Function]) -> None:
        self._text = module.text
        self._stretches = [(function, *function.stretch) for function in functions]
        self._walked: dict[Function, dict[str, list[CallSite]]] = {}
        self._named: dict[str, list[CallSite]] = {}

    def named(self, name: str) -> list[CallSite]:
        """Those whose called value has this last name, in the order of the functions."""
        if name not in self._named:
            self._named[name] = [
                site
                for function in self._calling(name)
                for site in self._within(function).get(name, ())
            ]
        return self._named[name]

    def _calling(self, name: str) -> list[Function]:
        """The functions whose text calls a name or hands it on, other than as their own.

        Python reads some letters as others.
        """
        if not name.isascii():
            return [function for function, *_ in self._stretches]
        places = places_called(name, self._text)
        return [
            function
            for function, first, last in self._stretches
            if bisect_left(places, last) - bisect_left(places, first) > (function.name == name)
        ]

    def _within(self, function: Function) -> dict[str, list[CallSite]]:
        if function not in self._walked:
            self._walked[function] = _sites_within(function)
        return self._walked[function]


@kept(64)
def _sites(project: Project, module: SourceModule) -> _Sites:
    return _Sites(module, functions_of(project, module).values())


def _sites_within(function: Function) -> dict[str, list[CallSite]]:
    """The call sites of one function by the last name of what is called."""
    found: dict[str, list[CallSite]] = {}
    for node in scope_inner_nodes(function.node):
        if isinstance(node, ast.Call):
            for name in _names(node.func):
                found.setdefault(name, []).append(CallSite(function, node, False))
            for argument in node.args[:1]:  # the first: checkpoint(f, x), map(f, xs)
                for name in _names(argument):
                    found.setdefault(name, []).append(CallSite(function, node, True))
    return found


def _names(value: ast.expr) -> list[str]:
    """The names by which a called value may be looked up."""
    while isinstance(value, ast.Subscript):
        value = value.value
    if isinstance(value, ast.Attribute):
        return [value.attr]
    return [value.id] if isinstance(value, ast.Name) else []


def _callers_in(project: Project, callee: Function, module: SourceModule) -> Iterator[CallSite]:
    sites = _sites(project, module)
    if not callee.method or callee.owner is None:
        for site in sites.named(callee.name):
            if _is_function(_called(site), callee, module):
                yield site
        return
    for site in sites.named(callee.name):
        if _is_method(project, site, callee):
            yield site
    if callee.name in ("forward", "__call__"):
        yield from _callers_of_module(project, callee.owner, module, sites)


def _called(site: CallSite) -> ast.expr:
    return site.node.args[0] if site.handed_on else site.node.func


def _is_function(called: ast.expr, callee: Function, module: SourceModule) -> bool:
    """Whether a called value is this function of a module's top level, or one nested in sight."""
    if callee.outer is not None:
        return isinstance(called, ast.Name) and module is callee.module
    qualified = module.names.qualified(called) or ""
    if module is callee.module and qualified == callee.name:
        return True
    # Re-exports shorten the path: the package and the name must agree, not all between.
    package = callee.module.dotted.partition(".")[0]
    return qualified.partition(".")[0] == package and qualified.endswith(f".{callee.name}")


def _is_method(project: Project, site: CallSite, callee: Function) -> bool:
    """Whether a call of this name calls this method, as far as the receiver tells."""
    called, owner = _called(site), callee.owner
    if not isinstance(called, ast.Attribute) or owner is None:
        return False
    receiver = called.value
    plain = isinstance(receiver, ast.Name) and receiver.id in ("self", "cls", owner.name)
    if plain or (isinstance(receiver, ast.Call) and _names(receiver.func) == ["super"]):
        return site.function.owner is not None and _related(project, site.function.owner, owner)
    known = networks_at(project, receiver, site.function)
    if known:
        return any(_related(project, one, owner) for one in known)
    if callee.name in BUILTIN_METHODS or callee.name in ("forward", "__call__"):
        return False
    names = site.function.module.names
    root = root_name(receiver) if names.qualified(receiver) else None
    return names.aliases.get(root or "", "").partition(".")[0] not in LIBRARIES


def _related(project: Project, one: ClassInfo, other: ClassInfo) -> bool:
    return one is other or descends_from(project, one, other) or descends_from(project, other, one)


def _callers_of_module(
    project: Project, owner: ClassInfo, module: SourceModule, sites: _Sites
) -> Iterator[CallSite]:
    """Calls of an instance: `self.block(x)`, `block(x)` in a loop over `self.blocks`."""
    for user in project.classes(module).values():
        # Where the class is not named, no instance of it is made.
        if owner.name not in user.text or not may_make(project, user, owner):
            continue
        attributes = attributes_of(project, user)
        names = [name for name in attributes.assigned if owner in attributes.classes(name)]
        for name in names:
            for site in sites.named(name):
                own = self_attribute(without_subscripts(_called(site)))
                if own and site.function.owner is user:
                    yield site
        if names:
            yield from _looped(project, owner, user, names)


def _looped(
    project: Project, owner: ClassInfo, user: ClassInfo, names: list[str]
) -> Iterator[CallSite]:
    for method in user.methods.values():
        function = functions_of(project, user.module)[method]
        # Python reads some letters as others.
        if not any(name in function.text or not name.isascii() for name in names):
            continue
        for node in own_nodes(method):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if owner in networks_at(project, node.func, function):
                yield CallSite(function, node, False)


def networks_at(project: Project, value: ast.expr, function: Function) -> frozenset[ClassInfo]:
    """The project's networks that a receiver may be: `self.x`, `self.x[i]`, a loop's name."""
    value = without_subscripts(value)
    own = self_attribute(value)
    if own and function.owner:
        return attributes_of(project, function.owner).classes(own)
    if not isinstance(value, ast.Name):
        return frozenset()
    found: frozenset[ClassInfo] = frozenset()
    for binding in function.reaching(value):
        source = binding.value
        element = binding.role in (Role.ELEMENT, Role.WHOLE)
        if element and source is not None and self_attribute(without_subscripts(source)):
            found |= networks_at(project, source, function)
    return found


def _importers(project: Project, callee: Function) -> Iterator[SourceModule]:
    """The modules beside the function's own that name its module and what is called, parsed."""
    file = callee.module.file
    stem = file.parent.name if file.stem == "__init__" else file.stem
    called = callee.owner.name if callee.owner and callee.name == "forward" else callee.name
    for other in files_beside(project, file):
        if other != file and _names_all(other, (stem, called)):
            read = project.read(other)
            if isinstance(read, SourceModule):
                yield read


def files_beside(project: Project, file: Path) -> tuple[Path, ...]:
    """The files of a module's package, or of its folder; none of a library, which has too many.

    What the module is told may rest on all that they say.
    """
    folder, package = _surroundings(file)
    neighbours = _neighbours(folder, package)
    project.footprints.looked(file, frozenset([folder, *(one.parent for one in neighbours)]))
    for other in neighbours:
        project.footprints.note(file, other, (EVERYTHING,))  # any of them may come to ask
    return neighbours


def _names_all(file: Path, words: tuple[str, ...]) -> bool:
    try:
        text = file.read_bytes()
    except OSError:
        return False
    return all(word.encode() in text for word in words)


def _surroundings(file: Path) -> tuple[Path, bool]:
    """The outermost package of a file, and True; or its folder, and False."""
    top = None
    folder = file.parent
    while (folder / "__init__.py").is_file():
        top, folder = folder, folder.parent
    return (top, True) if top else (folder, False)


@lru_cache(maxsize=64)
def _neighbours(folder: Path, package: bool) -> tuple[Path, ...]:
    """The Python files of a package, or of a folder and the folders in it."""
    patterns = ("**/*.py",) if package else ("*.py", "*/*.py")
    found: list[Path] = []
    for one in (one for pattern in patterns for one in folder.glob(pattern)):
        if not SKIPPED_FOLDERS.intersection(one.relative_to(folder).parts):
            found.append(one)
        if len(found) > MOST_NEIGHBOURS:
            return ()
    return tuple(sorted(found))
