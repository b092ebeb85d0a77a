"""Short texts that stand for much: of values, and of the contents of files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

ABSENT = ""  # the fingerprint of a file that is not there or cannot be read


def of_value(value: object) -> str:
    """The fingerprint of a value that JSON can hold; the order of an object's keys is nothing."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def of_file(file: Path) -> str:
    """The fingerprint of what a file holds."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ABSENT


def of_stamps(paths: Iterable[str]) -> list[tuple[str, int, int]]:
    """Path, size and time of change of each: enough for what only installers change."""
    found = []
    for path in sorted(paths):
        try:
            status = os.stat(path)  # noqa: PTH116  a Path for each of hundreds costs more
        except OSError:
            continue
        found.append((path, status.st_size, status.st_mtime_ns))
    return found
