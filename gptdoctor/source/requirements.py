"""Whether the packages that a project requires are all there, where its models run.

Where one is not, as in a hook's own environment, nobody knows what it would have brought along:
with torchvision comes PIL, which few projects declare.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakKeyDictionary

from gptdoctor.source.dependencies import normalised, says_needs, text_or_nothing
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

# The name of a requirement that holds everywhere: one with a marker ("; extra == 'gpu'") may not.
PLAIN = re.compile(r"^\s*([A-Za-z0-9][\w.-]*)[^;#]*(?:#.*)?$")
WHEEL = re.compile(r"^Requires-Dist: (.+)$", re.MULTILINE)

_INSTALLED: WeakKeyDictionary[Project, frozenset[str]] = WeakKeyDictionary()
_REQUIRED: WeakKeyDictionary[Project, dict[Path, frozenset[str]]] = WeakKeyDictionary()


def lacks_packages(project: Project, importer: SourceModule) -> bool:
    """Whether something that is required for a module is not installed."""
    known = _REQUIRED.setdefault(project, {})
    for folder in importer.file.parents:
        if not folder.is_relative_to(project.root):
            break
        if folder not in known:
            known[folder] = frozenset(normalised(name) for name in _required(folder))
        if not known[folder] <= _installed(project):
            return True
    return False


def _installed(project: Project) -> frozenset[str]:
    """The normalised names of the packages where the models run."""
    if project not in _INSTALLED:
        _INSTALLED[project] = frozenset(
            normalised(entry.name.partition("-")[0])
            for folder in project.search_paths
            for kind in ("*.dist-info", "*.egg-info")
            for entry in folder.glob(kind)
        )
    return _INSTALLED[project]


def _required(folder: Path) -> Iterator[str]:
    """What a folder's files require of every user; extras and tools of developers do not count."""
    if not says_needs(folder):
        return
    for file in folder.glob("*.dist-info/METADATA"):  # an unpacked wheel
        yield from _names(WHEEL.findall(text_or_nothing(file)))
    yield from _names(text_or_nothing(folder / "requirements.txt").splitlines())
    try:
        project = tomllib.loads(text_or_nothing(folder / "pyproject.toml")).get("project")
    except tomllib.TOMLDecodeError:
        return
    lines = project.get("dependencies") if isinstance(project, dict) else None
    if isinstance(lines, list):
        yield from _names([line for line in lines if isinstance(line, str)])


def _names(lines: list[str]) -> Iterator[str]:
    yield from (match[1] for line in lines if (match := PLAIN.match(line)))
