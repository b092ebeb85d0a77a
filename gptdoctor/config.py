"""What the user asked for, from the command line, as one typed object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gptdoctor.core.findings import Severity

# A tiny model's examination takes about 2 s; a minute leaves room for a slow import.
DEFAULT_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options that all commands share."""

    targets: tuple[str, ...] = ()  # files, folders, FILE::Class, package.module:Class; empty: "."
    static: bool = False
    select: tuple[str, ...] = ()  # codes or prefixes of codes; empty: all
    ignore: tuple[str, ...] = ()
    fail_on: Severity = Severity.HIGH
    strict: bool = False
    exit_zero: bool = False
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    seed: int = 0
    python: Path | None = None  # the interpreter that runs the models; None: chosen
    devices: bool = False  # let the models see accelerators

    def wants(self, code: str) -> bool:
        """Whether findings of this rule are asked for; the longer prefix wins, then `ignore`."""
        selected = _longest(code, self.select) if self.select else 0
        ignored = _longest(code, self.ignore)
        return selected >= 0 and selected > ignored if ignored >= 0 else selected >= 0


def _longest(code: str, prefixes: tuple[str, ...]) -> int:
    """The length of the longest prefix of `code` among `prefixes`, -1 where there is none."""
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix.upper())), default=-1)
