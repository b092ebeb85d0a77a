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

    def take(self, other: Footprints) -> None:
        """Add the notes of another process."""
        for asking, files in other.files.items():
            self.files.setdefault(asking, set()).update(files)
        for asking, folders in other.folders.items():
            self.folders.setdefault(asking, set()).update(folders)
        self.wide |= other.wide

    def behind(self, file: Path) -> set[Path]:
        """The file, and all that its answers may rest on, however far away."""
        found: set[Path] = set()
        queue = [file]
        while queue:
            one = queue.pop()
            if one not in found:
                found.add(one)
                queue.extend(self.files.get(one, ()))
        return found
