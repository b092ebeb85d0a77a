"""What the imports of given files may bring, as far as their text tells."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gptdoctor.source.folders import INSTALLED_FOLDERS
from gptdoctor.source.imports import ImportSite, import_sites
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import absolute_module
from gptdoctor.source.project import Project


@dataclass(frozen=True, kw_only=True)
class Imported:
    """The files that some files are made of, and what they ask for."""

    files: frozenset[Path]  # they themselves, their packages, and what their imports find
    folders: frozenset[Path]  # where their imports look before any installed package
    names: frozenset[str]  # dotted, whether they are found or not


def imported(project: Project, loaded: Iterable[Path], sources: Iterable[Path]) -> Imported:
    """Read the imports of the files that were loaded, those inside functions too.

    They are not followed further: what a run did load is known, and what it did not can have no
    part in its result. `sources` are folders of the search path whose files change as the
    project's own do.
    """
    around = (project.root, *sources)
    files, names, folders = set[Path](), set[str](), {*around, project.root / "src"}
    for file in loaded:
        files |= {file, *_packages(file)}
        folders |= {file.parent, _top(file)}
        module = project.read(file)
        if isinstance(module, SourceModule):
            asked = set(_asked(module))
            names |= {module.dotted, *asked}  # its own, for an import that computes the name
            files |= {one for name in asked for one in _files_of(project, name, module, around)}
    return Imported(files=frozenset(files), folders=frozenset(folders), names=frozenset(names))


def _asked(module: SourceModule) -> Iterator[str]:
    """The modules that a module's imports may mean; the name after `from x import` may be one."""
    for site in import_sites(module):
        if _for_type_checkers(site):
            continue
        if isinstance(site.node, ast.Import):
            yield from (alias.name for alias in site.node.names)
            continue
        base = absolute_module(site.node, module.package)
        if base:
            yield base
            yield from (f"{base}.{alias.name}" for alias in site.node.names if alias.name != "*")


def _for_type_checkers(site: ImportSite) -> bool:
    """Whether an import stands below `if TYPE_CHECKING`, which no run enters."""
    tests = [parent.test for parent in site.parents if isinstance(parent, ast.If)]
    return any(getattr(test, "attr", getattr(test, "id", "")) == "TYPE_CHECKING" for test in tests)


def _files_of(
    project: Project, dotted: str, importer: SourceModule, around: tuple[Path, ...]
) -> Iterator[Path]:
    """The files below `around` that importing a dotted module runs, its packages among them."""
    parts = dotted.split(".")
    for depth in range(1, len(parts) + 1):
        file = project.resolve(".".join(parts[:depth]), importer).file
        if file is not None and any(_holds(folder, file) for folder in around):
            yield file


def _holds(folder: Path, file: Path) -> bool:
    """Whether a file lies below a folder, and not among packages that are installed there."""
    if not file.is_relative_to(folder):
        return False
    return not set(INSTALLED_FOLDERS).intersection(file.relative_to(folder).parts)


def _packages(file: Path) -> Iterator[Path]:
    """The packages around a file, which are imported before it."""
    for folder in file.parents:
        init = folder / "__init__.py"
        if not init.is_file():
            return
        yield init


def _top(file: Path) -> Path:
    """The folder from which a file's full name is counted."""
    folder = file.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder
