"""What is kept of the scans of one project: what was found, and what stands for its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# Size, time of modification, time of change, and digest of the contents of a file.  A size of -1
# says that the times are no witness: the contents have to be looked at.
Stamp = tuple[int, int, int, str]
# More files than this are several projects under one root: the oldest scans are let go.
MOST_FILES = 40_000


@dataclass(kw_only=True)
class ScanRecord:
    """The scans of one project, by path; all paths are absolute.

    This is all that is read where nothing has changed.
    """

    scans: dict[str, Any] = field(default_factory=dict)  # plain FileScan, 0 for nothing to tell
    stamps: dict[str, Stamp] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)  # folder -> what stands for its entries
    tree: str | None = None  # what stands for the whole project, where some scans rest on it all
    grounds: str = ""  # the token of the grounds that belong to this record

    def drop(self, file: str) -> None:
        """Forget what was found of a file, and the stamp that it rested on."""
        self.scans.pop(file, None)
        self.scans.pop(named_key(file), None)
        self.stamps.pop(file, None)

    def to_plain(self) -> dict[str, Any]:
        """The record as JSON holds it."""
        return dict(vars(self))

    @classmethod
    def from_plain(cls, plain: Any) -> ScanRecord:
        """The record that `to_plain` wrote; raises what a broken one makes Python raise."""
        stamps = {file: tuple(stamp) for file, stamp in plain["stamps"].items()}
        return cls(**{**plain, "stamps": stamps})


def named_key(file: str) -> str:
    """The key of a scan of a file that the user named: that one is parsed whatever is in it."""
    return f"{file}*"
