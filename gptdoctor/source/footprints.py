"""What the answers about a file rest on beside its own text: other files, and folders' entries.

A cache of what a scan found needs to know when to believe it.  Every question that leaves a file
goes out by an import of it, and is noted under the file that asks, with the names that it asks
for; what is behind that is noted under the file that was found.  So all that a file's findings
rest on is reached from it by what was noted, whoever asked first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(eq=False)
class Footprints:
    """The notes of one project."""

    # The files that each file asks, and for which names: `told` has two that stand for more.
    files: dict[Path, dict[Path, set[str]]] = field(default_factory=dict)
    # Files about which something was asked that any file of the project may answer.
    wide: set[Path] = field(default_factory=set)
    # By groups, as they are asked for: to keep a group takes a tenth of what its paths take.
    _folders: dict[Path, set[frozenset[Path]]] = field(default_factory=dict)

    @property
    def folders(self) -> dict[Path, frozenset[Path]]:
        """The folders whose entries each file's questions rest on."""
        return {asking: frozenset().union(*groups) for asking, groups in self._folders.items()}

    def note(self, asking: Path, found: Path | None, names: Iterable[str] = ()) -> None:
        """A file asked another for some names; for none where it is enough that it is there."""
        if found is None:
            return
        links = self.files.get(asking)
        known = None if links is None else links.get(found)
        if known is not None:
            known.update(names)
        elif found != asking:  # seldom asked: to compare paths is dear
            self.files.setdefault(asking, {})[found] = set(names)

    def looked(self, asking: Path, folders: frozenset[Path]) -> None:
        """A file's question led into folders: their entries say what an import finds."""
        groups = self._folders.get(asking)
        if groups is None:
            self._folders[asking] = {folders}
        else:
            groups.add(folders)

    def take(self, other: Footprints) -> None:
        """Add the notes of another process."""
        for asking, found in other.files.items():
            for file, names in found.items():
                self.note(asking, file, names)
        for asking, groups in other._folders.items():
            self._folders.setdefault(asking, set()).update(groups)
        self.wide |= other.wide
