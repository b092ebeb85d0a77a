"""The Python files of a project, for questions that its imports do not answer."""

from __future__ import annotations

import ast
import os
import re
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from weakref import WeakKeyDictionary

from gptdoctor.config import SKIPPED_FOLDERS
from gptdoctor.source.folders import INSTALLED_FOLDERS
from gptdoctor.source.heads import imported_words
from gptdoctor.source.imports import Guard, ImportNode, guarding, import_sites
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import absolute_module
from gptdoctor.source.project import Project
from gptdoctor.source.told import EVERYTHING

# Where a name might come from is a help, not a finding: a project of more files than this is not
# read through for it (2000 files of ordinary size are searched in under a second).
MOST_FILES = 2000
# A home folder may be a root by mistake: no more entries are looked at in search of Python files.
MOST_ENTRIES = 50_000
# A module that more others than this import, without a network among them, serves something else.
MOST_IMPORTERS = 30

# What a script does that runs a network without defining its class.
_RUNNING = re.compile(r"\bnn\.[A-Z]\w*\(|\.backward\(")

_WORDS: WeakKeyDictionary[Project, dict[str, list[Path]]] = WeakKeyDictionary()
_DEFINED: WeakKeyDictionary[Project, dict[str, list[Path]]] = WeakKeyDictionary()
_TAILS: WeakKeyDictionary[Project, dict[str, list[str]]] = WeakKeyDictionary()
_FILES: WeakKeyDictionary[Project, tuple[Path, ...]] = WeakKeyDictionary()


def project_files(project: Project) -> tuple[Path, ...]:
    """The first `MOST_FILES` Python files below the root, near the root before far.

    None for a folder of installed packages: they have no business with each other.
    """
    if project not in _FILES:
        own = project.root.name not in INSTALLED_FOLDERS
        _FILES[project] = tuple(islice(_walk(project.root), MOST_FILES)) if own else ()
    return _FILES[project]


def _walk(root: Path) -> Iterator[Path]:
    queue, seen = deque([root]), 0
    while queue and seen < MOST_ENTRIES:
        folder = queue.popleft()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        seen += len(entries)
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in SKIPPED_FOLDERS and not _is_environment(entry.path):
                    queue.append(folder / entry.name)
            elif entry.name.endswith(".py"):
                yield folder / entry.name


def _is_environment(folder: str) -> bool:
    return Path(folder, "pyvenv.cfg").exists()


def holds_module(project: Project, dotted: str) -> bool:
    """Whether some folder of the project holds the module `dotted`: it may be on the path."""
    tail = f"/{dotted.replace('.', '/')}/"
    last = dotted.rpartition(".")[2]
    return any(place.endswith(tail) for place in _places(project).get(last, ()))


def _places(project: Project) -> dict[str, list[str]]:
    """The modules of the project, "/work/pack/part/", by their last names."""
    if project not in _TAILS:
        found: dict[str, list[str]] = {}
        for file in project_files(project):
            place = file.as_posix().removesuffix(".py").removesuffix("/__init__")
            found.setdefault(place.rpartition("/")[2], []).append(f"/{place}/")
        _TAILS[project] = found
    return _TAILS[project]


def modules_defining(project: Project, name: str) -> Iterator[SourceModule]:
    """The modules of the project with a line that begins by binding `name` itself."""
    for file in files_defining(project, name):
        module = project.read(file)
        if isinstance(module, SourceModule):
            yield module


def files_defining(project: Project, name: str) -> list[Path]:
    """The files of the project with a line that begins by binding `name`."""
    if project not in _DEFINED:
        found: dict[str, list[Path]] = {}
        for file in project_files(project):
            for head in project.heads(file):
                found.setdefault(head, []).append(file)
        _DEFINED[project] = found
    return _DEFINED[project].get(name, [])


def holds_networks(project: Project, module: SourceModule) -> bool:
    """Whether a module defines networks."""
    return any(project.is_network(info) for info in project.classes(module).values())


def serves_networks(project: Project, module: SourceModule) -> bool:
    """Whether a module holds networks, or modules that hold some import it."""
    if holds_networks(project, module):
        return True
    queue, seen = deque([module]), {module}
    while queue:
        one = queue.popleft()
        project.footprints.note(module.file, one.file, (EVERYTHING,))
        for other in importers(project, one) if len(seen) < MOST_IMPORTERS else ():
            if other not in seen:
                if holds_networks(project, other):
                    return True
                seen.add(other)
                queue.append(other)
    return False


def runs_networks(module: SourceModule) -> bool:
    """Whether a script builds a network of torch's layers, or trains one."""
    return _RUNNING.search(module.text) is not None


def importers(project: Project, module: SourceModule) -> Iterator[SourceModule]:
    """The modules of the project that import `module` or a name from it."""
    project.footprints.wide.add(module.file)  # any file may import it
    for file in _imported_words(project).get(module.dotted.rpartition(".")[2], ()):
        project.footprints.note(module.file, file, (EVERYTHING,))
        other = project.read(file) if file != module.file else None
        if isinstance(other, SourceModule) and _imports(project, other, module):
            yield other


def files_importing(project: Project, module: SourceModule, words: set[str]) -> list[Path]:
    """The files with one of these words in an import statement; nothing of them is parsed."""
    project.footprints.wide.add(module.file)  # any file may come to import it
    known = _imported_words(project)
    found = dict.fromkeys(file for word in words for file in known.get(word, ()))
    for file in found:
        project.footprints.note(module.file, file, (EVERYTHING,))
    return list(found)


def _imported_words(project: Project) -> dict[str, list[Path]]:
    """The files by the words of their import statements."""
    if project not in _WORDS:
        found: dict[str, list[Path]] = {}
        for file in project_files(project):
            for word in imported_words(file):
                found.setdefault(word, []).append(file)
        _WORDS[project] = found
    return _WORDS[project]


def _imports(project: Project, other: SourceModule, module: SourceModule) -> bool:
    """Whether `other` cannot be imported without `module`."""
    needed = (
        site
        for site in import_sites(other)
        if not site.lazy and not site.stands_in_for and guarding(site).kind is Guard.NONE
    )
    last = module.dotted.rpartition(".")[2]
    return any(
        project.resolve(name, other).file == module.file
        for site in needed
        for name in _modules_named(site.node, other.package)
        if name.rpartition(".")[2] == last
    )


def _modules_named(node: ImportNode, package: str) -> Iterator[str]:
    """The modules that a statement imports, or may import where a name is a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    origin = absolute_module(node, package)
    if origin:
        yield origin
    yield from (f"{origin}.{alias.name}".lstrip(".") for alias in node.names)
