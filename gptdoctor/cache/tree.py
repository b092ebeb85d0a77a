"""The state of all files that reading a project as text may look at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gptdoctor.cache import fingerprint

# More entries than this are a home folder or a store of data: to look at each would take longer
# than to read again what matters (looking takes 3 microseconds an entry).
MOST_ENTRIES = 50_000
# What the text side reads: sources, compiled modules, and what declares packages.
_SUFFIXES = (".py", ".pyi", ".so", ".pyd", ".ipynb", ".toml", ".cfg", ".txt", ".yml", ".yaml")
_NAMES = frozenset({"METADATA"})
_FOREIGN = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})


@dataclass(frozen=True, kw_only=True)
class TreeState:
    """Names, sizes and times of change of the files below some folders."""

    fingerprint: str
    stamps: tuple[tuple[str, int, int, int], ...]  # absolute path, size, times; sorted
    newest_ns: int  # the latest change of any of them, on the clock of `time_ns`

    @property
    def files(self) -> frozenset[str]:
        """The paths of all files, absolute."""
        return frozenset(path for path, *_ in self.stamps)


def tree_state(folders: tuple[Path, ...]) -> TreeState | None:
    """The state now; None where there are more entries than are worth looking at.

    So it is for a folder of installed packages, which have no business with each other.  The time
    of change is the one that the system sets: no program can turn it back.
    """
    if any(folder.name in _FOREIGN for folder in folders):
        return None
    stamps = []
    for number, entry in enumerate(_entries([str(folder) for folder in folders])):
        if number >= MOST_ENTRIES:
            return None
        if entry.name.endswith(_SUFFIXES) or entry.name in _NAMES or entry.is_dir():
            stamps.append(_stamp(entry))
    stamps.sort()
    return TreeState(
        fingerprint=fingerprint.of_value(stamps),
        stamps=tuple(stamps),
        newest_ns=max((changed for *_, changed in stamps), default=0),
    )


def _entries(waiting: list[str]) -> Iterator[os.DirEntry[str]]:
    """All entries of the folders and of those below them, each folder once."""
    seen = set(waiting)
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in _FOREIGN:
                    continue
                yield entry
                if entry.is_dir():
                    place = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
                    if place not in seen and not Path(place, "pyvenv.cfg").exists():
                        seen.add(place)
                        waiting.append(entry.path)


def _stamp(entry: os.DirEntry[str]) -> tuple[str, int, int, int]:
    """Path, size, time of modification and time of change; of a folder its name is enough."""
    try:
        status = entry.stat()
        times = (
            (0, 0, 0)
            if entry.is_dir()
            else (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        )
    except OSError:
        times = (-1, 0, 0)
    return entry.path, *times
