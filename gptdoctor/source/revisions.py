"""The text of a project as it was where a branch began, asked of the user's own git."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gptdoctor.core.errors import UsageError
from gptdoctor.source.module import decode
from gptdoctor.source.walking import ENDINGS

OPTION = "--diff-base"
FETCH = "this clone is shallow: fetch all of it (actions/checkout: fetch-depth: 0)"
# Git answers at once; a minute is for a disk that has gone to sleep and a repository of gigabytes.
SECONDS = 60
# A line of `git diff --raw`: modes, blobs and the kind of change, then paths.
RENAMED = ("R", "C")
NOT_A_FILE = "160000"  # the mode of a submodule


@dataclass(frozen=True, kw_only=True)
class Before:
    """The sources of a project at one commit, against those on disk; paths as seen from its root.

    `texts` has what was changed, by the path that the file has now, and what is gone.
    """

    commit: str
    paths: frozenset[str]  # all that were there
    texts: dict[str, str] = field(default_factory=dict)

    def had(self, path: str) -> bool:
        """Whether a file that is on disk was there, be it under another name."""
        return path in self.paths or path in self.texts


def before_branch(root: Path, revision: str) -> Before:
    """The project at `root` as it was where HEAD and `revision` parted.

    Raises UsageError where there is no git, no repository, or no such revision.
    """
    git = _Git(root)
    if git.ask("rev-parse", "--is-inside-work-tree") is None:
        raise UsageError(f"{OPTION} compares with a commit, and {root} is in no git repository")
    commit = _commit(git, revision)
    base = git.ask("merge-base", commit, "HEAD")
    if base is None:
        hint = FETCH if git.is_shallow() else "name a revision that HEAD has a common past with"
        raise UsageError(f"{OPTION}: {revision!r} and HEAD have no commit in common", hint=hint)
    base = base.strip()
    changed = list(_changed(git, base))
    blobs = git.blobs([blob for _, blob in changed])
    listed = git.need("ls-tree", "-r", "-z", "--name-only", base)
    texts = {path: text for path, blob in changed if (text := blobs.get(blob)) is not None}
    return Before(commit=base, paths=frozenset(listed.split("\0")), texts=texts)


def _commit(git: _Git, revision: str) -> str:
    found = None
    if not revision.startswith("-"):  # git would take it for an option
        found = git.ask("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found is not None:
        return found.strip()
    hint = FETCH if git.is_shallow() else ""
    remote = git.ask("rev-parse", "--verify", "--quiet", f"origin/{revision}^{{commit}}")
    if remote is not None:
        hint = f"did you mean 'origin/{revision}'?"
    raise UsageError(f"{OPTION}: git knows no revision {revision!r}", hint=hint)


def _changed(git: _Git, base: str) -> Iterator[tuple[str, str]]:
    """The sources that are not as they were: the path now, or then, and the blob that it was."""
    told = git.need(
        "diff", "--raw", "-z", "--find-renames", "--no-abbrev", "--no-ext-diff", "--relative", base
    )
    words = iter(told.split("\0"))
    for head in words:
        if not head.startswith(":"):
            continue
        mode, _, blob, _, kind = head[1:].split(" ")
        path = next(words)
        if kind.startswith(RENAMED):
            path = next(words)
        if not kind.startswith("A") and mode != NOT_A_FILE and path.endswith(ENDINGS):
            yield path, blob


@dataclass(frozen=True)
class _Git:
    """The user's git, in one folder."""

    root: Path

    def ask(self, *words: str) -> str | None:
        """What git says, None where it fails."""
        done = self._run(words)
        return done.stdout.decode(errors="surrogateescape") if done.returncode == 0 else None

    def need(self, *words: str) -> str:
        """What git says; raises UsageError with its own words where it fails."""
        done = self._run(words)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise UsageError(f"{OPTION}: git {words[0]} fails: {said}")
        return done.stdout.decode(errors="surrogateescape")

    def is_shallow(self) -> bool:
        """Whether the clone lacks its older commits."""
        return (self.ask("rev-parse", "--is-shallow-repository") or "").strip() == "true"

    def blobs(self, names: list[str]) -> dict[str, str]:
        """The texts of blobs by name, without those that are no text."""
        done = self._run(["cat-file", "--batch"], "".join(f"{name}\n" for name in names).encode())
        data, found = done.stdout, {}
        while data:
            head, _, data = data.partition(b"\n")
            words = head.decode().split(" ")
            if len(words) != 3:  # "... missing", of a clone without its blobs
                continue
            size = int(words[2])
            try:
                found[words[0]] = decode(data[:size])
            except (UnicodeDecodeError, LookupError, SyntaxError):
                found[words[0]] = ""
            data = data[size + 1 :]
        return found

    def _run(
        self, words: list[str] | tuple[str, ...], given: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        # Git would refresh its index on the way, and another git at work would find it locked.
        around = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
        untouched = ["-c", "diff.autoRefreshIndex=false"]
        try:
            return subprocess.run(  # noqa: S603
                ["git", "-C", str(self.root), *untouched, *words],  # noqa: S607
                input=given,
                capture_output=True,
                env=around,
                timeout=SECONDS,
                check=False,
            )
        except FileNotFoundError as error:
            raise UsageError(f"{OPTION} needs git, which is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise UsageError(f"{OPTION}: git {words[0]} does not answer") from error
