"""The sources below a folder that are worth reading: what is excluded or ignored is passed by."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gptdoctor.config import FileChoice
from gptdoctor.source.ignore_patterns import IgnorePatterns
from gptdoctor.source.notebooks import SUFFIX as NOTEBOOK

ENDINGS = (".py", NOTEBOOK)
ENVIRONMENT = "pyvenv.cfg"
GITIGNORE = ".gitignore"


@dataclass(frozen=True)
class _Rules:
    """Patterns, and the folder that they belong to as a path with "/" at its end."""

    base: str
    patterns: IgnorePatterns

    def says(self, path: str, *, folder: bool) -> bool | None:
        return self.patterns.says(path.removeprefix(self.base), folder=folder)


@dataclass(frozen=True)
class _Folder:
    path: str
    rules: tuple[_Rules, ...]  # of git, those of the outermost folder first


def sources_below(top: Path, root: Path, choice: FileChoice) -> Iterator[Path]:
    """The sources below the folder `top`; patterns of `choice` are seen from `root`.

    Hidden files and environments are never read.  `top` itself is, whatever the patterns say.
    """
    excluded = _Rules(f"{root}/", IgnorePatterns(choice.exclude))
    above = _rules_above(top) if choice.respect_gitignore else ()
    waiting = [_Folder(str(top), above or ())]
    while waiting:
        folder = waiting.pop()
        entries = _entries(folder.path)
        names = {entry.name for entry in entries}
        if ENVIRONMENT in names and folder.path != str(top):
            continue
        rules = folder.rules
        if above is not None and choice.respect_gitignore and GITIGNORE in names:
            rules = (*rules, _rules_of(folder.path, GITIGNORE))
        for entry in entries:
            if entry.name.startswith("."):
                continue
            is_folder = entry.is_dir()
            if not is_folder and not entry.name.endswith(ENDINGS):
                continue
            if excluded.says(entry.path, folder=is_folder) or _ignored(
                entry.path, is_folder, rules
            ):
                continue
            if not is_folder:
                yield Path(entry.path)
            elif not entry.is_symlink():  # what lies behind a link is read where it lies
                waiting.append(_Folder(entry.path, rules))


def is_excluded(file: Path, root: Path, choice: FileChoice) -> bool:
    """Whether the patterns of `choice` exclude a file, by itself or with a folder it lies in."""
    inside = file.is_relative_to(root)
    return inside and IgnorePatterns(choice.exclude).covers(file.relative_to(root).as_posix())


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as entries:
        return list(entries)
    return []


def _ignored(path: str, is_folder: bool, rules: tuple[_Rules, ...]) -> bool:
    """What git would say: the nearest file that says anything decides."""
    for one in reversed(rules):
        said = one.says(path, folder=is_folder)
        if said is not None:
            return said
    return False


def _rules_above(top: Path) -> tuple[_Rules, ...] | None:
    """The rules for `top` of the folders above it in its repository; None where it is in none.

    Who names a folder that git ignores wants what is in it: then they do not count.
    """
    repository = next((one for one in (top, *top.parents) if (one / ".git").exists()), None)
    if repository is None:
        return None
    rules: tuple[_Rules, ...] = (_rules_of(str(repository), str(_exclude_file(repository))),)
    folder = repository
    for part in top.relative_to(repository).parts:
        if (folder / GITIGNORE).is_file():
            rules = (*rules, _rules_of(str(folder), GITIGNORE))
        folder = folder / part
        if _ignored(str(folder), True, rules):
            return ()
    return rules


def _rules_of(folder: str, file: str) -> _Rules:
    text = ""
    with suppress(OSError):
        text = Path(folder, file).read_text(encoding="utf-8", errors="replace")
    return _Rules(f"{folder}/", IgnorePatterns(text.split("\n")))


def _exclude_file(repository: Path) -> Path:
    """The repository's own list that is not shared; a worktree has it where its origin has."""
    git = repository / ".git"
    if git.is_file():
        with suppress(OSError, ValueError):
            words = git.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
            git = repository / words
            git = git / (git / "commondir").read_text(encoding="utf-8").strip()
    return git / "info" / "exclude"
