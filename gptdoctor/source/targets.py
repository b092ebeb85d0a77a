"""What the user named on the command line, as files and classes of one project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gptdoctor.config import FileChoice
from gptdoctor.core.errors import UsageError
from gptdoctor.source.roots import find_root
from gptdoctor.source.walking import is_excluded, sources_below


@dataclass(frozen=True, kw_only=True)
class Targets:
    """The files to examine, below one root."""

    root: Path
    files: tuple[Path, ...]  # absolute, sorted, each once
    named: frozenset[Path]  # those that the user named himself, not through a folder
    classes: frozenset[tuple[Path, str]]  # asked for as FILE::Class; none: all that is found


EVERYTHING_USUAL = FileChoice()


def find_targets(
    words: tuple[str, ...], here: Path, choice: FileChoice = EVERYTHING_USUAL
) -> Targets:
    """Resolve files, folders, `FILE::Class` and `package.module:Class`, seen from `here`.

    `choice` says what is passed by below folders, and of the files that were named.

    Links are followed: running code names its files by their real paths.

    Raises UsageError for a target that does not exist.
    """
    found = [_target(word, here) for word in words or (".",)]
    root = _common_root([place for place, _ in found])
    if choice.force_exclude:
        found = [one for one in found if not _is_left_out(one[0], root, choice)]
    files = {file for place, _ in found for file in _files(place, root, choice)}
    return Targets(
        root=root,
        files=tuple(sorted(files)),
        named=frozenset(place for place, _ in found if place.is_file()),
        classes=frozenset((place, name) for place, name in found if name is not None),
    )


def target_of_text(file: Path, choice: FileChoice = EVERYTHING_USUAL) -> Targets:
    """The one file that text stands for, whether it is there or not; none where it is excluded."""
    root = find_root(file)
    left_out = choice.force_exclude and is_excluded(file, root, choice)
    files = () if left_out else (file,)
    return Targets(root=root, files=files, named=frozenset(files), classes=frozenset())


def root_of(words: tuple[str, ...], here: Path) -> Path:
    """The project's root of the same words; raises UsageError as `find_targets` does."""
    return _common_root([_target(word, here)[0] for word in words or (".",)])


def _target(word: str, here: Path) -> tuple[Path, str | None]:
    """The file or folder of one word, and the class in it when one is named."""
    path, separator, name = word.partition("::")
    if (here / path).exists():
        return (here / path).resolve(), name if separator else None
    dotted, colon, name = word.partition(":")
    if colon and not separator and all(part.isidentifier() for part in dotted.split(".")):
        return _module_file(dotted, here), name
    raise UsageError(
        f"there is no file or folder {path!r}",
        hint="name a .py or .ipynb file, a folder, FILE::Class or package.module:Class",
    )


def _module_file(dotted: str, here: Path) -> Path:
    root = find_root(here)
    for folder in (here, root, root / "src"):
        place = folder.joinpath(*dotted.split("."))
        for candidate in (place.with_name(place.name + ".py"), place / "__init__.py"):
            if candidate.is_file():
                return candidate.resolve()
    raise UsageError(
        f"there is no module {dotted!r} in {here}",
        hint="run gptdoctor in the folder that holds the package, or name the file",
    )


def _common_root(places: list[Path]) -> Path:
    roots = list(dict.fromkeys(find_root(place) for place in places))
    return roots[0] if len(roots) == 1 else Path(os.path.commonpath(roots))


def _is_left_out(place: Path, root: Path, choice: FileChoice) -> bool:
    return place.is_file() and is_excluded(place, root, choice)


def _files(place: Path, root: Path, choice: FileChoice) -> Iterator[Path]:
    """`place` itself when it is a file, else the sources below it that are worth reading."""
    if place.is_file():
        yield place
    else:
        yield from sources_below(place, root, choice)
