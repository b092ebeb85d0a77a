"""The files whose trees a project has, and which of them it should not have let go of."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path

from gptdoctor.core.diagnosis import SourceError
from gptdoctor.source.kept import forget_answers
from gptdoctor.source.module import SourceModule


@dataclass(eq=False)
class Trees:
    """Modules by file; a file that cannot be read stands here as its error."""

    read_lately: int = 0  # characters that were read since files were last forgotten
    _read: dict[Path, SourceModule | SourceError] = field(default_factory=dict)
    _forgotten: set[Path] = field(default_factory=set)
    _missed: set[Path] = field(default_factory=set)

    def __contains__(self, file: object) -> bool:
        """Whether a file has been read, and not been forgotten since."""
        return file in self._read

    def __getitem__(self, file: Path) -> SourceModule | SourceError:
        """What a file was read as.  Raises KeyError for one that is not here."""
        return self._read[file]

    def add(self, file: Path, read: SourceModule | SourceError) -> None:
        """Keep what a file was read as."""
        self._read[file] = read
        if isinstance(read, SourceModule):
            self.read_lately += len(read.text)
        if file in self._forgotten:
            self._missed.add(file)

    def modules(self) -> Iterator[SourceModule]:
        """The modules that are here."""
        return (one for one in self._read.values() if isinstance(one, SourceModule))

    def forget(self, files: Set[Path]) -> set[SourceModule | SourceError]:
        """Let go of files and of all answers about trees; tells what they were read as."""
        forget_answers()
        self._forgotten |= files
        self.read_lately = 0
        return {self._read.pop(file) for file in files if file in self._read}

    @property
    def files(self) -> Set[Path]:
        """The files that are here."""
        return self._read.keys()

    @property
    def missed(self) -> Set[Path]:
        """The files that had to be read again after they were forgotten."""
        return self._missed
