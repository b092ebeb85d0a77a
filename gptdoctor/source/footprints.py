"""What the answers about a file rest on beside its own text: other files, and folders' entries.

A cache of what a scan found needs to know when to believe it.  Every question that leaves a file
goes out by an import of it, and is noted under the file that asks; what is behind that is noted
under the file that was found.  So all that a file's findings rest on is reached from it by what
was noted, whoever asked first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(eq=False)
class Footprints:
    """The notes of one project."""

    files: dict[Path, set[Path]] = field(default_factory=dict)
    folders: dict[Path, set[Path]] = field(default_factory=dict)
    # Files about which something was asked that any file of the project may answer.
    wide: set[Path] = field(default_factory=set)

    def note(self, asking: Path, found: Path | None, folders: Iterable[Path]) -> None:
        """A file asked for a module: the file that was found, and the folders looked into."""
        self.folders.setdefault(asking, set()).update(folders)
        if found is not None and found != asking:
            self.files.setdefault(asking, set()).add(found)


def looked_into(folder: Path, dotted: str) -> set[Path]:
    """The folders whose entries decide what `dotted` is below `folder`."""
    found, place = {folder}, folder
    for part in dotted.split("."):
        place = place / part
        if not place.is_dir():
            break
        found.add(place)
    return found
