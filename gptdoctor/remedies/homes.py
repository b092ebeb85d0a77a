"""Which module of the project defines a name, and how a file there is imported from here."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.remedy import Request
from gptdoctor.source.exports import exports
from gptdoctor.source.imports import import_sites
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project_files import modules_defining


def home_of(request: Request, name: str) -> SourceModule | None:
    """The module that defines `name`; None where none does. Raises Declined at a tie."""
    importer = request.module
    found = [
        other
        for other in modules_defining(request.project, name)
        if other.file != importer.file and name in exports(other).defined
    ]
    if not found:
        return None
    ranked = sorted(found, key=lambda other: _distance(request, other))
    if len(ranked) > 1 and _distance(request, ranked[0]) == _distance(request, ranked[1]):
        both = " and ".join(other.path for other in ranked[:2])
        raise Declined(f"{both} both define {name}")
    _check_no_circle(request, ranked[0])
    return ranked[0]


def _distance(request: Request, other: SourceModule) -> tuple[int, int]:
    """How far a module is from what is meant: named like the one that is missing, then nearby."""
    asked = str(request.finding.details.get("module") or "").rpartition(".")[2]
    here, there = request.module.file.parent, other.file.parent
    return int(other.file.stem != asked), len(_steps(here, there))


def _steps(here: Path, there: Path) -> list[str]:
    """The folders to leave and to enter on the way."""
    return [part for part in Path(os.path.relpath(there, here)).parts if part != "."]


def _check_no_circle(request: Request, home: SourceModule) -> None:
    """Raise Declined where the home itself imports the file that would import it."""
    for origin in (*home.names.aliases.values(), *home.names.stars):
        for dotted in (origin, origin.rpartition(".")[0]):
            module = request.project.module(dotted, home) if dotted else None
            if module is not None and module.file == request.module.file:
                raise Declined(f"{home.path} imports this file, so that neither could come first")


def spelling(request: Request, home: SourceModule) -> tuple[str, ...]:
    """How the home's module is written in an import here; two ways where files are run both ways.

    Files beside this one show how it is done: relatively in a package, by name alone in a folder
    of scripts.
    """
    importer = request.module
    relative, absolute = _relative(importer, home), _absolute(request, home)
    ways = set(_ways(request))
    if importer.file.parent == home.file.parent:
        if {"relative", "plain"} <= ways and relative is not None:
            return relative, home.file.stem
        if ways == {"plain"}:
            return (home.file.stem,)
    is_package = (importer.file.parent / "__init__.py").is_file()
    by_dots = "relative" in ways or (is_package and "absolute" not in ways)
    found = (relative or absolute) if by_dots else (absolute or relative)
    if found is None:
        raise Declined(f"{home.path} cannot be imported from here")
    return (found,)


def _relative(importer: SourceModule, other: SourceModule) -> str | None:
    """`.vein` or `..layers.vein`, where both files belong to one package or one folder."""
    here, there = importer.file.parent, other.file.parent
    if here != there:
        top = importer.package.partition(".")[0]
        if not top or other.dotted.partition(".")[0] != top:
            return None
    steps = _steps(here, there)
    ups = sum(1 for step in steps if step == "..")
    downs = [step for step in steps if step != ".."]
    tail = [] if other.file.name == "__init__.py" else [other.file.stem]
    return "." * (ups + 1) + ".".join([*downs, *tail])


def _absolute(request: Request, other: SourceModule) -> str | None:
    """The absolute name that finds `other` from here: as a script's neighbour, or by package."""
    candidates = [other.dotted, *_below_root(request, other)]
    for dotted in candidates:
        found = request.project.resolve(dotted, request.module)
        if found.file == other.file:
            return dotted
    return None


def _below_root(request: Request, other: SourceModule) -> Iterator[str]:
    """Names by folder, for folders without `__init__.py`."""
    for folder in (request.module.file.parent, request.project.root):
        if other.file.is_relative_to(folder):
            yield ".".join(other.file.relative_to(folder).with_suffix("").parts)


def _ways(request: Request) -> Iterator[str]:
    """How this file and the files beside it import from their own folder."""
    folder = request.module.file.parent
    for file in sorted(folder.glob("*.py")):
        module = request.project.read(file)
        if isinstance(module, SourceModule):
            for site in import_sites(module):
                if isinstance(site.node, ast.ImportFrom):
                    yield from _way(module, site.node)


def _way(module: SourceModule, node: ast.ImportFrom) -> Iterator[str]:
    folder, dotted = module.file.parent, node.module or ""
    package, _, last = dotted.rpartition(".")
    if node.level == 1:
        yield "relative"
    elif not node.level and (folder / f"{last}.py").is_file():
        if not package:
            yield "plain"
        elif package == module.package:
            yield "absolute"
