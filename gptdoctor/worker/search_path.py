"""The search path without the folders of the user's project, for what we import ourselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gptdoctor.specimen.places import project_path


@contextmanager
def only_installed(root: str) -> Iterator[None]:
    """Import nothing of the project at `root` meanwhile."""
    path = list(sys.path)
    sys.path[:] = [entry for entry in path if not _is_users(entry, root)]
    try:
        yield
    finally:
        sys.path[:] = path


def _is_users(entry: str, root: str) -> bool:
    """Whether a folder of the search path holds the user's own modules, `random.py` perhaps."""
    folder = Path(entry).absolute()
    if any(folder.is_relative_to(prefix) for prefix in (sys.prefix, sys.base_prefix)):
        return False
    return str(folder) == root or project_path(str(folder), root) is not None
