"""Where the project begins that a file or folder belongs to."""

from __future__ import annotations

from pathlib import Path

from gptdoctor.source.folders import INSTALLED_FOLDERS

PROJECT_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")


def find_root(start: Path) -> Path:
    """The project's root for a file or folder: its nearest ancestor with a project's mark.

    A folder of installed packages is a root of its own. Without any mark the current folder is
    the root where it holds `start`, else the folder of `start`.
    """
    folder = start if start.is_dir() else start.parent
    ancestors = [folder, *folder.parents]
    for ancestor in ancestors:
        if ancestor.name in INSTALLED_FOLDERS:
            return ancestor
    for ancestor in ancestors:
        if any((ancestor / mark).exists() for mark in PROJECT_MARKS):
            return ancestor
    here = Path.cwd()
    return here if folder.is_relative_to(here) else _above_packages(folder)


def _above_packages(folder: Path) -> Path:
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder
