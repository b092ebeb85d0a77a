"""What is kept of the scans of one project: what was found, and what that rests on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

# Size, time of modification, time of change, and digest of the contents of a file.  A size of -1
# says that the times are no witness: the contents have to be looked at.
Stamp = tuple[int, int, int, str]
# More files than this are several projects under one root: the oldest scans are let go.
MOST_FILES = 40_000


@dataclass(kw_only=True)
class ScanRecord:
    """The scans of one project, by path; all paths are absolute."""

    scans: dict[str, Any] = field(default_factory=dict)  # plain FileScan, 0 for nothing to tell
    stamps: dict[str, Stamp] = field(default_factory=dict)
    links: dict[str, set[str]] = field(default_factory=dict)  # file -> files that it asks
    looked: dict[str, set[str]] = field(default_factory=dict)  # file -> folders it looks into
    folders: dict[str, str] = field(default_factory=dict)  # folder -> what stands for its entries
    wide: set[str] = field(default_factory=set)  # files that may ask any file of the project
    tree: str | None = None  # what stands for the whole project, where some are wide

    def resting_on(self, changed: Iterable[str]) -> set[str]:
        """The changed files and all whose answers may come from one, however far away."""
        asking: dict[str, list[str]] = {}
        for file, asked in self.links.items():
            for one in asked:
                asking.setdefault(one, []).append(file)
        found: set[str] = set()
        queue = list(changed)
        while queue:
            one = queue.pop()
            if one not in found:
                found.add(one)
                queue.extend(asking.get(one, ()))
        return found

    def drop(self, files: Iterable[str]) -> None:
        """Forget what was found of some files, and the stamps that it rested on."""
        for file in files:
            self.scans.pop(file, None)
            self.stamps.pop(file, None)

    def to_plain(self) -> dict[str, Any]:
        """The record as JSON holds it, with a number for each path."""
        asked = (
            one for sets in (self.links, self.looked) for found in sets.values() for one in found
        )
        named = [*self.stamps, *self.links, *self.looked, *self.folders, *asked]
        paths = list(dict.fromkeys(named))
        number = {path: index for index, path in enumerate(paths)}
        return {
            "paths": paths,
            "scans": self.scans,
            "stamps": {str(number[path]): stamp for path, stamp in self.stamps.items()},
            "links": _numbered(self.links, number),
            "looked": _numbered(self.looked, number),
            "folders": {str(number[path]): text for path, text in self.folders.items()},
            "wide": sorted(self.wide),
            "tree": self.tree,
        }

    @classmethod
    def from_plain(cls, plain: Any) -> ScanRecord:
        """The record that `to_plain` wrote; raises what a broken one makes Python raise."""
        paths: list[str] = plain["paths"]
        return cls(
            scans=plain["scans"],
            stamps={paths[int(key)]: tuple(stamp) for key, stamp in plain["stamps"].items()},
            links=_named(plain["links"], paths),
            looked=_named(plain["looked"], paths),
            folders={paths[int(key)]: text for key, text in plain["folders"].items()},
            wide=set(plain["wide"]),
            tree=plain["tree"],
        )


def _numbered(sets: dict[str, set[str]], number: dict[str, int]) -> dict[str, list[int]]:
    return {str(number[key]): sorted(number[one] for one in found) for key, found in sets.items()}


def _named(plain: dict[str, list[int]], paths: list[str]) -> dict[str, set[str]]:
    return {paths[int(key)]: {paths[one] for one in found} for key, found in plain.items()}
