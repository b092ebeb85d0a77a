"""What one result rests on in the project, and whether that is still so.

Data files that a model's code opens are not known here: results are kept as if they never change.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gptdoctor.cache import fingerprint

# File systems tell times in steps of up to 10 ms: a change that comes this shortly before a
# moment may bear the same time as one after it.
STEP_NS = 20_000_000
_MODULE_SUFFIXES = (".py", ".so", ".pyd")


@dataclass(frozen=True, kw_only=True)
class Witness:
    """The files that were used, by content, and which modules of given names were where.

    The names are those of all imports, also of those that failed: a module that appears, or that
    appears where it is found earlier, is another answer.
    """

    files: Mapping[str, str]  # path relative to the root, or absolute -> fingerprint
    folders: tuple[str, ...]  # where modules are looked for; relative to the root, or absolute
    names: tuple[str, ...]  # dotted
    found: str  # fingerprint of what stands for each name in each folder


def observe(
    root: Path, files: Iterable[str], folders: Iterable[str], names: Iterable[str]
) -> Witness:
    """How things are now."""
    places, dotted = tuple(sorted(set(folders))), tuple(sorted(set(names)))
    return Witness(
        files={path: fingerprint.of_file(root / path) for path in sorted(set(files))},
        folders=places,
        names=dotted,
        found=fingerprint.of_value(_found([root / place for place in places], dotted)),
    )


def still_true(witness: Witness, root: Path) -> bool:
    """Whether the same observation would be made now."""
    return observe(root, witness.files, witness.folders, witness.names) == witness


def settled(witness: Witness, root: Path, since_ns: int) -> bool:
    """Whether nothing that was observed has changed since a moment, on the clock of `time_ns`.

    Folders change when files come and go. What is not there, and never was, is settled.
    """
    limit = since_ns - STEP_NS
    return all(_changed_ns(root / path) < limit for path in (*witness.files, *witness.folders))


def _changed_ns(path: Path) -> int:
    try:
        status = path.stat()
    except OSError:
        return 0
    # The second is set by the system, and no program can turn it back; Windows does not have it.
    return max(status.st_mtime_ns, status.st_ctime_ns)


def _found(folders: list[Path], names: tuple[str, ...]) -> list[list[str]]:
    """What stands for each name in each folder, in the order of both.

    Modules of the standard library are among the names: a file of the project's may hide them.
    """
    listings: dict[str, dict[str, list[str]]] = {}
    standard = sorted(sys.stdlib_module_names)
    return [
        _entries(str(folder), name, listings) for folder in folders for name in (*names, *standard)
    ]


def _entries(folder: str, dotted: str, listings: dict[str, dict[str, list[str]]]) -> list[str]:
    """The entries of a folder that a dotted name may mean, from its first part to its last."""
    found: list[str] = []
    for part in dotted.split("."):
        here = _modules(folder, listings).get(part, [])
        found += here
        folder = f"{folder}{os.sep}{part}"
        if part not in here:
            break
        found += _modules(folder, listings).get("__init__", [])
    return found


def _modules(folder: str, listings: dict[str, dict[str, list[str]]]) -> dict[str, list[str]]:
    """The entries of a folder that can be modules, by the name that imports them."""
    if folder not in listings:
        try:
            entries = sorted(os.listdir(folder))  # noqa: PTH208  names are all that is wanted
        except OSError:
            entries = []
        known = listings[folder] = {}
        for entry in entries:
            if "." not in entry or entry.endswith(_MODULE_SUFFIXES):
                known.setdefault(entry.partition(".")[0], []).append(entry)
    return listings[folder]
