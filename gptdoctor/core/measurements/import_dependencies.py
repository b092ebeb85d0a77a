"""What happened when the model's file and the project modules it needs were imported."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.measurement import Measurement

# What using None, or a name that was never bound, raises.
USED_ALL_THE_SAME = frozenset({"TypeError", "AttributeError", "NameError", "UnboundLocalError"})


@dataclass(frozen=True, kw_only=True)
class ImportFailure:
    """An import statement of the user's project that did not resolve where the model runs."""

    path: str
    line: int
    module: str  # absolute, as resolved: "apt_model.modeling.blocks"
    name: str | None  # the name that the module lacks; None: the module itself is missing
    asked: tuple[str, ...] = ()  # the names that the statement wants from the module
    guarded: bool  # the user's own try/except dealt with it
    needed: bool  # building the model used what was missing
    error: str  # "ModuleNotFoundError: No module named 'apt_model'"

    def explains(self, crash: Crash | None) -> bool:
        """Whether the crash comes from what a guard let pass: `Name = None`, and `Name(...)`."""
        if crash is None or crash.kind not in USED_ALL_THE_SAME:
            return False
        wanted = self.asked or (self.name or self.module.partition(".")[0],)
        words = set(re.findall(r"\w+", f"{crash.message} {crash.statement}"))
        return not words.isdisjoint(wanted)


@dataclass(frozen=True, kw_only=True)
class SkippedStatement:
    """A statement at the top level of a file that was not run: it works rather than defines."""

    path: str
    line: int
    end_line: int
    # "loop", "call", "download", "window", "arguments", "training", "data"; "failed": it was run,
    # and what it asks for is not here; "dependent": it needs what such a statement, or a failed
    # import, would have made
    kind: str
    text: str  # its first line, stripped
    error: str = ""  # "FileNotFoundError: ..." of one that failed


@dataclass(frozen=True, kw_only=True)
class ImportDependencies(Measurement):
    """Probe import-dependencies: the import statements that ran, and those that failed."""

    imported: bool  # the file was imported (with stand-ins for what failed)
    failures: tuple[ImportFailure, ...]
    seconds: float
    skipped: tuple[SkippedStatement, ...] = ()
    # The files at work that were loaded, the model's own first: those of the project relative with
    # "/", absolute those of packages that are installed in place or found by PYTHONPATH.
    files: tuple[str, ...] = ()
