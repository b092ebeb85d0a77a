"""Patched texts: what each file holds so far, and what that is against what is on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gptdoctor.core.repairs import Patch
from gptdoctor.repair.texts import read_text, with_plain_ends
from gptdoctor.source.notebooks import python_of


@dataclass(eq=False, kw_only=True)
class Texts:
    """The files of a project as mended so far. Nothing here is on disk."""

    root: Path
    _original: dict[str, str] = field(default_factory=dict)
    _mended: dict[str, str] = field(default_factory=dict)

    def take(self, given: Mapping[str, str]) -> None:
        """Texts that stand for what is on disk, line ends kept."""
        self._original.update({path: python_of(path, text) for path, text in given.items()})

    def current(self, path: str) -> str:
        """The text of a file as mended so far, line ends kept; raises RepairError."""
        if path not in self._original:
            self._original[path] = python_of(path, read_text(self.root / path, path).text)
        return self._mended.get(path, self._original[path])

    def adopt(self, patch: Patch) -> None:
        """Take a patch for good."""
        self._mended[patch.path] = patch.after

    def overlay(self, *patches: Patch) -> Mapping[str, str]:
        """The texts that stand for files on disk, with more patches on top, the last one last."""
        texts = {**self._mended, **{patch.path: patch.after for patch in patches}}
        return {path: with_plain_ends(text) for path, text in texts.items()}

    def patches(self) -> tuple[Patch, ...]:
        """One patch for each file that changed: what is on disk, and what shall be."""
        return tuple(
            Patch(path=path, before=self._original[path], after=text)
            for path, text in sorted(self._mended.items())
            if text != self._original[path]
        )
