"""The state of all files that reading a project as text may look at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gptdoctor.cache import fingerprint

# More files than this are a home folder or a whole environment: to look at each would take longer
# than to read again what matters (looking takes 3 microseconds a file).
MOST_FILES = 20_000
# What the text side reads: sources, compiled modules, and what declares packages.
_SUFFIXES = (".py", ".pyi", ".so", ".pyd", ".ipynb", ".toml", ".cfg", ".txt", ".yml", ".yaml")
_NAMES = frozenset({"METADATA"})
_FOREIGN = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})


@dataclass(frozen=True, kw_only=True)
class TreeState:
    """Names, sizes and times of change of the files below some folders."""

    fingerprint: str
    files: frozenset[str]  # absolute
    newest_ns: int  # the latest change of any of them, on the clock of `time_ns`


def tree_state(folders: tuple[Path, ...]) -> TreeState | None:
    """The state now; None where there are more files than are worth looking at.

    The time of change is the one that the system sets: no program can turn it back.
    """
    stamps: list[tuple[str, int, int, int]] = []
    for stamp in _walk([str(folder) for folder in folders]):
        stamps.append(stamp)
        if len(stamps) > MOST_FILES:
            return None
    return TreeState(
        fingerprint=fingerprint.of_value(sorted(stamps)),
        files=frozenset(path for path, *_ in stamps),
        newest_ns=max((changed for *_, changed in stamps), default=0),
    )


def _walk(waiting: list[str]) -> Iterator[tuple[str, int, int, int]]:
    """Path, size, time of modification and time of change of each file and folder, each once."""
    seen = set(waiting)
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _FOREIGN:
                continue
            if entry.is_dir():
                place = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
                if place not in seen and not os.path.exists(f"{place}/pyvenv.cfg"):  # noqa: PTH110
                    seen.add(place)
                    waiting.append(entry.path)
                    yield entry.path, 0, 0, 0
            elif entry.name.endswith(_SUFFIXES) or entry.name in _NAMES:
                yield _stamp(entry)


def _stamp(entry: os.DirEntry[str]) -> tuple[str, int, int, int]:
    try:
        status = entry.stat()
    except OSError:
        return entry.path, -1, 0, 0
    return entry.path, status.st_size, status.st_mtime_ns, status.st_ctime_ns
