"""What lies in the folders that imports are looked for in, each folder read once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

INSTALLED_FOLDERS = ("site-packages", "dist-packages")
# How the files end that a module may be: sources, compiled ones, and stubs of those.
MODULES = (".py", ".so", ".pyd", ".pyc", ".pyx", ".pyi")


class Folders:
    """The entries of folders, as they were when first asked for.

    Hundreds of files ask for the same few packages: a look at the disk for each would take longer
    than to parse what is found.
    """

    def __init__(self) -> None:
        self._entries: dict[str, frozenset[str] | None] = {}
        self._paths: dict[str, Path] = {}

    def entries(self, folder: str) -> frozenset[str] | None:
        """The names in a folder; None where there is no such folder."""
        if folder not in self._entries:
            try:
                self._entries[folder] = frozenset(os.listdir(folder))  # noqa: PTH208  as it is text
            except OSError:
                self._entries[folder] = None
        return self._entries[folder]

    def above_package(self, folder: str) -> str:
        """The folder that the package lies in which a folder belongs to; itself, if to none."""
        while "__init__.py" in (self.entries(folder) or ()):
            folder = os.path.dirname(folder)  # noqa: PTH120  as it is text
        return folder

    def holds(self, folder: str, dotted: str) -> bool:
        """Whether `dotted` lies below a folder: as source, compiled or stub, or as any folder."""
        *packages, last = dotted.split(".")
        place = os.path.join(folder, *packages)  # noqa: PTH118  as it is text
        around = self.entries(place)
        if not around:
            return False
        if last in around and self.entries(os.path.join(place, last)) is not None:  # noqa: PTH118
            return True
        return any(one.startswith(f"{last}.") and one.endswith(MODULES) for one in around)

    def below(self, folder: str, dotted: str, looked: set[Path]) -> tuple[Path | None] | None:
        """The file of `dotted` below `folder` in a tuple, (None,) for a namespace, or None.

        The folders whose entries say so are added to `looked`.
        """
        *packages, last = dotted.split(".")
        place = folder
        for name in packages:
            looked.add(self._path(place))
            place = os.path.join(place, name)  # noqa: PTH118  as it is text
        around = self.entries(place)
        if around is None:
            return None
        looked.add(self._path(place))
        inner = os.path.join(place, last)  # noqa: PTH118
        if last in around:
            inside = self.entries(inner)
            if inside is not None:
                looked.add(self._path(inner))
                if "__init__.py" in inside:
                    return (self._path(os.path.join(inner, "__init__.py")),)  # noqa: PTH118
        if f"{last}.py" in around:
            return (self._path(f"{inner}.py"),)
        if any(one.startswith(f"{last}.") and one.endswith(".so") for one in around):
            return (None,)
        modules = self.entries(inner) if last in around else None
        return (None,) if modules and any(one.endswith(".py") for one in modules) else None

    def _path(self, place: str) -> Path:
        """The one path for a place: equal ones are compared part by part, and that is dear."""
        if place not in self._paths:
            self._paths[place] = Path(place)
        return self._paths[place]


def overlaid(
    root: Path, overlay: Mapping[str, str], folder: Path, dotted: str
) -> tuple[Path] | None:
    """The module's file where `overlay` alone has it: one that is gone from the disk."""
    if not overlay or not folder.is_relative_to(root):
        return None
    place = folder.joinpath(*dotted.split(".")).relative_to(root).as_posix()
    for path in (f"{place}/__init__.py", f"{place}.py"):
        if path in overlay:
            return (root / path,)
    return None
