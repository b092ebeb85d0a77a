"""Small projects on disk, for questions that only the text answers."""

from __future__ import annotations

from pathlib import Path

from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project


def project_of(root: Path, texts: dict[str, str]) -> Project:
    """A project of these files; what lies in `installed/` is on the search path."""
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Project(root=root, search_paths=(root / "installed",))


def module_of(project: Project, path: str) -> SourceModule:
    """A module of the project by its path."""
    module = project.read(project.root / path)
    assert isinstance(module, SourceModule)
    return module
