"""What the scans of one project rest on: which files ask which others, and for what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gptdoctor.cache.tree_signs import Signs
from gptdoctor.source.footprints import Footprints
from gptdoctor.source.told import (
    EVERYTHING,
    LINES,
    STARRED,
    Texts,
    changed_names,
    digests_of,
    packed,
    reached_by,
    unpacked,
)

# The texts of a file as it is now, by name; None where it cannot be read.
Reader = Callable[[str], Texts | None]
# So many files are read to see which of their names have changed.  Where there are more, as after
# a change of branches, what rests on them in any way is scanned anew, which takes no longer.
MOST_READ = 40


@dataclass(kw_only=True)
class ScanGrounds:
    """Read only where something has changed; all paths are absolute."""

    # file -> files that it asks -> the names that it asks for
    links: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    looked: dict[str, set[str]] = field(default_factory=dict)  # file -> folders it looks into
    wide: set[str] = field(default_factory=set)  # files that may ask any file of the project
    # file -> digests of what it tells, by name, packed
    told: dict[str, str] = field(default_factory=dict)
    # Where some files are wide: the signs of all files of the project, and what stands for it.
    signs: Signs = field(default_factory=dict)
    outline: str = ""
    token: str = ""  # the same as in the record that belongs to these grounds

    def add(self, footprints: Footprints, told: Mapping[Path, dict[str, str]]) -> None:
        """Add what scans rested on.

        Nothing is taken away: what a file asks may have been asked for the sake of another.
        """
        for asking, found in footprints.files.items():
            links = self.links.setdefault(str(asking), {})
            for file, names in found.items():
                links.setdefault(str(file), set()).update(names)
        for asking, folders in footprints.folders.items():
            self.looked.setdefault(str(asking), set()).update(map(str, folders))
        self.wide |= set(map(str, footprints.wide))
        self.told.update({str(file): packed(digests) for file, digests in told.items()})

    def note_lines(self, file: str, plain: object) -> None:
        """Where what is told of a file names another one, it may name a line of it."""
        for asked, names in self.links.get(file, {}).items() if plain else ():
            if Path(asked).name in str(plain):
                names.add(LINES)

    def stale(self, edited: Iterable[str], moved: Iterable[str], read: Reader) -> set[str]:
        """The files whose scans may come out differently, however far what has changed lies.

        `edited` are files with other contents; of `moved`, the questions may lead elsewhere.
        """
        return _Spread(self, read).from_files(set(edited), set(moved))

    def to_plain(self) -> dict[str, Any]:
        """The grounds as JSON holds them, with a number for each path."""
        asked = (file for found in (*self.links.values(), *self.looked.values()) for file in found)
        paths = list(dict.fromkeys([*self.links, *self.looked, *self.told, *asked]))
        number = {path: str(index) for index, path in enumerate(paths)}
        return {
            "paths": paths,
            "links": {
                number[asking]: {number[file]: sorted(names) for file, names in found.items()}
                for asking, found in self.links.items()
            },
            "looked": {
                number[asking]: [number[folder] for folder in folders]
                for asking, folders in self.looked.items()
            },
            "wide": sorted(self.wide),
            "told": {number[file]: digests for file, digests in self.told.items()},
            "signs": self.signs,
            "outline": self.outline,
            "token": self.token,
        }

    @classmethod
    def from_plain(cls, plain: Any) -> ScanGrounds:
        """The grounds that `to_plain` wrote; raises what broken ones make Python raise."""
        paths = dict(zip(map(str, range(len(plain["paths"]))), plain["paths"], strict=True))
        return cls(
            links={
                paths[asking]: {paths[file]: set(names) for file, names in found.items()}
                for asking, found in plain["links"].items()
            },
            looked={
                paths[asking]: {paths[folder] for folder in folders}
                for asking, folders in plain["looked"].items()
            },
            wide=set(plain["wide"]),
            told={paths[file]: digests for file, digests in plain["told"].items()},
            signs={path: tuple(signs) for path, signs in plain["signs"].items()},
            outline=plain["outline"],
            token=plain["token"],
        )


class _Spread:
    """How far a change goes: from each file to those that ask it for what has changed."""

    def __init__(self, grounds: ScanGrounds, read: Reader) -> None:
        self._grounds = grounds
        self._reader = read
        self._read: dict[str, Texts | None] = {}
        self._asking: dict[str, list[str]] = {}
        for asking, found in grounds.links.items():
            for file in found:
                self._asking.setdefault(file, []).append(asking)
        # What answers of each file may be others now, by name.
        self._affected: dict[str, set[str]] = {}

    def from_files(self, edited: set[str], moved: set[str]) -> set[str]:
        """All files that are reached, these among them."""
        queue = [(file, self._own_changes(file)) for file in edited]
        queue += [(file, {EVERYTHING}) for file in moved]
        reached = edited | moved
        while queue:
            file, names = queue.pop()
            known = self._affected.setdefault(file, set())
            if names <= known:
                continue
            known |= names
            for asking in self._asking.get(file, ()):
                met = self._met(self._grounds.links[asking][file], known)
                if met:
                    reached.add(asking)
                    queue.append((asking, self._reached(asking, met)))
        return reached

    def _own_changes(self, file: str) -> set[str]:
        """The names of an edited file about which it may answer differently."""
        old = self._grounds.told.get(file)
        texts = self._texts(file) if old is not None and file in self._asking else None
        if old is None or texts is None:
            return {EVERYTHING, LINES}
        changed = changed_names(unpacked(old), digests_of(texts))
        return {LINES, *reached_by(texts, changed)}

    @staticmethod
    def _met(asked: set[str], affected: set[str]) -> set[str]:
        """The part of a question that meets what is affected."""
        if EVERYTHING in affected:
            return asked
        return {EVERYTHING} if EVERYTHING in asked and affected != {LINES} else asked & affected

    def _reached(self, asking: str, met: set[str]) -> set[str]:
        """The names of the asking file that may lead to what it asked for."""
        if asking not in self._asking:
            return met  # nobody asks it
        texts = None if met & {EVERYTHING, STARRED} else self._texts(asking)
        return {EVERYTHING} if texts is None else reached_by(texts, met)

    def _texts(self, file: str) -> Texts | None:
        if file not in self._read and len(self._read) < MOST_READ:
            self._read[file] = self._reader(file)
        return self._read.get(file)
