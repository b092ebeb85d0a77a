"""The journal of an apply that goes on: it lets the next run finish what a kill cut short.

It stands in the project's root, because that is what every later run knows of the project, and
is on the disk that is written to. It is only appended to, and each line reaches the disk before
what it tells of is done:

1. the plan: which files, with the names of their copies and the digests before and after;
2. "writing": all copies are there, and from now on files are replaced.

A journal without its second line means that no file was touched. The file is locked while its
writer lives, so that a second run neither disturbs it nor takes it for dead.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from gptdoctor.core.errors import RepairError

NAME = ".gptdoctor-journal.json"
WRITING = "writing"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file of the plan; all paths are absolute."""

    file: str
    new: str  # a copy with what shall be
    old: str  # a copy of what was
    before: str  # digests
    after: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a journal says."""

    entries: tuple[Entry, ...]
    writing: bool


def digest(data: bytes) -> str:
    """What tells one content of a file from another."""
    return hashlib.sha256(data).hexdigest()


class Journal:
    """The journal of one root, held by this process."""

    def __init__(self, root: Path) -> None:
        """Take the journal; raises RepairError where another run holds it or it cannot be made."""
        self.path = root / NAME
        try:
            self._file = _locked(self.path)
        except BlockingIOError as error:
            raise RepairError("another run of gptdoctor is writing to this project") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise RepairError(f"the journal {self.path} cannot be written: {reason}") from error

    def read(self) -> Plan | None:
        """The plan of a run that was cut short, or None where there is nothing to finish."""
        self._file.seek(0)
        lines = self._file.read().split(b"\n")
        try:
            entries = tuple(Entry(**entry) for entry in json.loads(lines[0]))
        except (ValueError, TypeError):
            return None  # cut short before anything was done
        return Plan(entries=entries, writing=WRITING.encode() in lines[1:])

    def begin(self, entries: Sequence[Entry]) -> None:
        """Write the plan."""
        self._append(json.dumps([asdict(entry) for entry in entries]))

    def writing(self) -> None:
        """Note that all copies are there."""
        self._append(WRITING)

    def _append(self, line: str) -> None:
        self._file.write(line.encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        sync_folder(self.path.parent)

    def remove(self) -> None:
        """Take the journal away: nothing is left to be done."""
        self.path.unlink(missing_ok=True)
        sync_folder(self.path.parent)
        self.close()

    def close(self) -> None:
        """Give the journal up, and leave it where it is."""
        self._file.close()


def _locked(path: Path) -> BinaryIO:
    """The file at `path`, made where there is none, and locked."""
    while True:
        stream = path.open("a+b")
        try:
            _lock(stream)
        except OSError:
            stream.close()
            raise
        # Between opening and locking the run before may have taken the file away.
        if path.exists() and os.path.samestat(os.fstat(stream.fileno()), path.stat()):
            return stream
        stream.close()


def _lock(stream: BinaryIO) -> None:
    """Lock a file for as long as it is open; raises OSError where another process has."""
    if sys.platform == "win32":
        import msvcrt

        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sync_folder(folder: Path) -> None:
    """Make sure that names made, moved and removed in a folder are on the disk."""
    if not hasattr(os, "O_DIRECTORY"):
        return  # such a system opens no folders, and keeps their names by itself
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
