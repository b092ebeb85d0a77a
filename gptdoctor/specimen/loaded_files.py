"""Which source files at work are loaded: the project's own, and others that are not installed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from gptdoctor.specimen.places import FOREIGN_FOLDERS, OURS, STANDARD, loaded_modules, project_path


def loaded_files(root: str) -> tuple[str, ...]:
    """The files of all modules that are loaded now and whose text is anyone's to change.

    Those of the project relative to `root` with "/"; absolute those of packages that are
    installed in place or found by PYTHONPATH.
    """
    return tuple(dict.fromkeys(_found(root)))


def _found(root: str) -> Iterator[str]:
    for module in loaded_modules(root):
        file = getattr(module, "__dict__", {}).get("__file__")
        if not isinstance(file, str) or not file.endswith(".py"):
            continue
        path = project_path(file, root)
        if path is not None:
            yield path
        elif not file.startswith((*STANDARD, OURS)) and _is_at_work(file):
            yield file


@cache  # asked again and again for the same few thousand modules
def _is_at_work(file: str) -> bool:
    return Path(file).is_absolute() and not FOREIGN_FOLDERS.intersection(Path(file).parts)
