"""Imports that find nothing: neither in the project nor among the installed packages.

Only files are looked at; nothing is imported. Where the text cannot tell, nothing is said.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path
from weakref import WeakKeyDictionary

from gptdoctor.source.exports import is_dynamic, offers, shows
from gptdoctor.source.imports import ImportNode
from gptdoctor.source.module import SourceModule
from gptdoctor.source.module_files import file_of, is_compiled, may_make
from gptdoctor.source.names import absolute_module
from gptdoctor.source.places import Origin
from gptdoctor.source.project import Project
from gptdoctor.source.project_files import holds_module
from gptdoctor.source.told import GETATTR

# The finder that an editable install leaves in site-packages maps packages to folders:
# MAPPING: dict[str, str] = {'mypackage': '/home/me/mypackage'}
EDITABLE_MAPPING = re.compile(r"^MAPPING\b[^{]*\{(.*)\}", re.MULTILINE)
STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
EDITABLE_NAME = re.compile(r"['\"](\w+)['\"]\s*:")


class Lack(Enum):
    """What an import lacks."""

    NAME = "name"  # the module is there, the name is not
    MODULE = "module"  # its package is there, the module is not
    PACKAGE = "package"  # not even the package is there
    PARENT = "parent"  # a relative import climbs out of its package


@dataclass(frozen=True, kw_only=True)
class Unresolved:
    """What one import statement asks for in vain."""

    lack: Lack
    module: str  # absolute; for PARENT as it is written, with its dots
    names: tuple[str, ...] = ()  # NAME: those that are missing; else those asked of the module


@dataclass(frozen=True, eq=False, kw_only=True)
class _Lead:
    """Where a relative import leads all files whose import starts from one folder."""

    file: Path
    folders: frozenset[Path]  # their entries say so
    lacks: dict[str, bool]


@dataclass(eq=False)
class _Known:
    """What is asked again and again about one project."""

    our_version: bool  # the models run on the version of Python that we run on
    # Whether its search paths are those of an interpreter that can run models: where not even
    # torch is found, other packages are missing for the same reason, and the models run elsewhere.
    runs_models: bool
    editable: frozenset[str]  # packages that are installed so that their files lie elsewhere
    lacks: dict[Path, dict[str, bool]] = field(default_factory=dict)
    # By the folder that a relative import starts from, and the module that it names.
    leads: dict[tuple[str, str | None], _Lead] = field(default_factory=dict)


_KNOWN: WeakKeyDictionary[Project, _Known] = WeakKeyDictionary()


def _known(project: Project) -> _Known:
    known = _KNOWN.get(project)
    if known is None:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        folders = project.search_paths
        known = _KNOWN[project] = _Known(
            our_version=any(version in folder.parts for folder in folders),
            runs_models=any((folder / "torch" / "__init__.py").is_file() for folder in folders),
            editable=frozenset(name for folder in folders for name in _editable_names(folder)),
        )
    return known


def unresolved(project: Project, importer: SourceModule, node: ImportNode) -> Unresolved | None:
    """The first thing that an import statement asks for in vain, or None."""
    if isinstance(node, ast.ImportFrom):
        if node.level:
            return _relative(project, importer, node)
        return _absolute(project, importer, node.module or "", node)
    found = (_absolute(project, importer, alias.name, None) for alias in node.names)
    return next((lack for lack in found if lack is not None), None)


def _asked(node: ast.ImportFrom | None) -> tuple[str, ...]:
    return tuple([alias.name for alias in node.names if alias.name != "*"]) if node else ()


def _relative(project: Project, importer: SourceModule, node: ast.ImportFrom) -> Unresolved | None:
    """Relative imports are looked up by folder: namespace packages have no `__init__.py`."""
    known = _known(project)
    near = str(importer.file).rpartition(os.sep)[0] or os.sep
    place = _above(near, node.level - 1)
    lead = known.leads.get((place, node.module))
    if _climbs_out(importer, node):
        folder = Path(place)
        if folder == project.root or not folder.is_relative_to(project.root):
            return Unresolved(lack=Lack.PARENT, module=_written(node), names=_asked(node))
    if lead is not None:
        project.footprints.looked(importer.file, lead.folders)
        return _names_missing(project, importer, lead.file, node, lead.lacks)
    file, folders = project.beside(importer, place, node.module or "__init__")
    if file is None:
        return _nowhere(project, importer, node, Path(place))
    lacks = known.lacks.setdefault(file, {})
    known.leads[place, node.module] = _Lead(file=file, folders=folders, lacks=lacks)
    return _names_missing(project, importer, file, node, lacks)


def _climbs_out(importer: SourceModule, node: ast.ImportFrom) -> bool:
    """Whether a relative import starts from above its package.

    One dot in a folder without `__init__.py` works wherever a loader takes the folder for a
    package, as the hubs of models do; two dots need a package above it within the project.
    """
    if node.level == 1 or node.level <= importer.dotted.count("."):  # its package has so many parts
        return False
    return node.level > len(importer.package.split("."))


def _written(node: ast.ImportFrom) -> str:
    return "." * node.level + (node.module or "")


def _nowhere(
    project: Project, importer: SourceModule, node: ast.ImportFrom, folder: Path
) -> Unresolved | None:
    """What is missing where a relative import leads to no source."""
    module = absolute_module(node, importer.package) or _written(node)
    place = folder.joinpath(*(node.module or "__init__").split("."))
    place = place if node.module else folder
    if place.is_dir():
        return _submodules_missing(place, module, node)
    project.footprints.wide.add(importer.file)
    init = place.parent / "__init__.py"
    if is_compiled(place) or (init.is_file() and may_make(init, place.name)):
        return None
    return Unresolved(lack=Lack.MODULE, module=module, names=_asked(node))


@lru_cache(maxsize=4096)
def _above(folder: str, steps: int) -> str:
    """The folder so many steps above one: files that lie together ask for the same few."""
    return str(Path(_above(folder, steps - 1)).parent) if steps else folder


def _absolute(
    project: Project, importer: SourceModule, dotted: str, node: ast.ImportFrom | None
) -> Unresolved | None:
    found = project.resolve(dotted, importer)
    if found.origin is not Origin.MISSING:
        if node is None:
            return None
        file = found.file if found.origin is not Origin.STANDARD else _standard(project, dotted)
        own = found.origin is Origin.PROJECT
        if file is None or not (own or _tells_its_names(file)):
            return None
        lacks = _known(project).lacks.setdefault(file, {})
        return _names_missing(project, importer, file, node, lacks)
    project.footprints.wide.add(importer.file)  # from here on, anywhere is looked
    if _beside(project, importer, dotted):
        return None
    package = _nearest_package(project, importer, dotted)
    if package is not None:
        known = may_make(package[0], dotted[len(package[1]) + 1 :].partition(".")[0])
        lack = Unresolved(lack=Lack.MODULE, module=dotted, names=_asked(node))
        return None if known else lack
    return _outside(project, importer, dotted, node)


def _outside(
    project: Project, importer: SourceModule, dotted: str, node: ast.ImportFrom | None
) -> Unresolved | None:
    """A module of which not even the package is in sight."""
    known = _known(project)
    if not known.runs_models or "sys.path" in importer.text:
        return None
    if dotted.partition(".")[0] in known.editable or holds_module(project, dotted):
        return None
    return Unresolved(lack=Lack.PACKAGE, module=dotted, names=_asked(node))


def _standard(project: Project, dotted: str) -> Path | None:
    """The file of a module of the standard library, where the models run on our own version."""
    return _of_our_version(dotted) if _known(project).our_version else None


@cache
def _of_our_version(dotted: str) -> Path | None:
    return file_of(STANDARD_LIBRARY.joinpath(*dotted.split(".")))


@cache
def _tells_its_names(file: Path) -> bool:
    """Whether an installed file binds its names by plain statements; most need no parse to say."""
    return file.suffix == ".py" and not is_dynamic(file.read_text(errors="replace"), file.stem)


def _names_missing(
    project: Project,
    importer: SourceModule,
    file: Path,
    node: ast.ImportFrom,
    lacks: dict[str, bool],
) -> Unresolved | None:
    """What an import asks of a file in vain; `lacks` has the names that were asked for before."""
    asked = _asked(node)
    project.footprints.note(importer.file, file, (*asked, GETATTR))
    missing = [name for name in asked if lacks.get(name, True)]
    if missing:
        # Most names are shown by lines, and to see that takes no parse; a file is asked by many.
        known = {name: not shows(project, file, name) for name in missing if name not in lacks}
        lacks.update((name, new and _denies(project, file, name)) for name, new in known.items())
        missing = [name for name in missing if lacks[name]]
    if not missing:
        return None
    module = absolute_module(node, importer.package) or _written(node)
    return Unresolved(lack=Lack.NAME, module=module, names=tuple(missing))


def _denies(project: Project, file: Path, name: str) -> bool:
    module = project.read(file)
    return isinstance(module, SourceModule) and offers(project, module, name) is False


def _submodules_missing(folder: Path, dotted: str, node: ast.ImportFrom) -> Unresolved | None:
    """A folder without `__init__.py` offers the modules in it and nothing else."""
    names = tuple(
        name
        for name in _asked(node)
        if not (file_of(folder / name) or (folder / name).is_dir() or is_compiled(folder / name))
    )
    return Unresolved(lack=Lack.NAME, module=dotted, names=names) if names else None


def _beside(project: Project, importer: SourceModule, dotted: str) -> bool:
    """Whether a folder between the importer and the root holds the module.

    A script that is started there finds it, and the text does not tell what is started where.
    """
    for folder in importer.file.parents:
        if not folder.is_relative_to(project.root):
            return False
        if project.places.holds(folder, dotted):
            return True
    return False


def _nearest_package(
    project: Project, importer: SourceModule, dotted: str
) -> tuple[Path | None, str] | None:
    """The file and the name of the deepest package on the way to `dotted` that is there."""
    package = dotted.rpartition(".")[0]
    while package:
        found = project.resolve(package, importer)
        # A folder of the project without `__init__.py` is no package yet: it may be a folder of
        # data that has the name of a package.
        loose = found.origin is Origin.PROJECT and found.file is None
        if found.origin in (Origin.PROJECT, Origin.INSTALLED) and not loose:
            return found.file, package
        package = package.rpartition(".")[0]
    return None


@cache
def _editable_names(folder: Path) -> tuple[str, ...]:
    """The packages that editable installs map to folders outside `folder`."""
    return tuple(name for finder in _finders(folder) for name in EDITABLE_NAME.findall(finder))


def _finders(folder: Path) -> Iterator[str]:
    for file in folder.glob("__editable__*finder.py"):
        yield from EDITABLE_MAPPING.findall(file.read_text(errors="replace"))
