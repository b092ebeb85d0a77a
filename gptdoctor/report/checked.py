"""What a format is made from."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from gptdoctor.core.diagnosis import Examination
from gptdoctor.diagnose.gate import GateResult


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A check that has ended: what was found, what the gate made of it, and how it was asked."""

    examination: Examination  # its findings are those that the user wants to see
    gate: GateResult
    words: tuple[str, ...] = ()  # what the next command has to name again
    trace: bool = False  # whether the data's way to a finding is wanted
    # What stands before a path of the examination, which begins at the project's root, for one
    # that begins at the top of the repository, as CI counts.
    in_repository: str = ""
    # The way from the folder of the command to that root, and its own way from there, where it
    # lies below: "../" and "src/".
    from_here: str = ""
    here: str = ""

    def seen_from_here(self, path: str) -> str:
        """A path of the examination, as the folder of the command sees it."""
        return posixpath.relpath(path, self.here) if self.here else f"{self.from_here}{path}"
