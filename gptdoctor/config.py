"""What the user asked for, from the command line, as one typed object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gptdoctor.core.findings import Severity

# A tiny model's examination takes about 2 s; a minute leaves room for a slow import.
DEFAULT_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What the user says of one model in `pyproject.toml`, where guessing ends."""

    build: str | None = None  # an expression that gives the instance
    call: str | None = None  # an expression that runs `model`
    ignore: bool = False  # not to be examined
    causal: bool | None = None  # False: a position may see later ones by design


@dataclass(frozen=True, kw_only=True)
class GivenText:
    """Text that stands for a file, which may not be there yet: what an editor holds unsaved."""

    file: Path  # absolute
    text: str  # with plain line ends
    data: bytes  # what it was read from


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options that all commands share."""

    targets: tuple[str, ...] = ()  # files, folders, FILE::Class, package.module:Class; empty: "."
    static: bool = False
    select: tuple[str, ...] = ()  # codes or prefixes of codes; empty: all
    ignore: tuple[str, ...] = ()
    fail_on: Severity = Severity.HIGH  # less is worth knowing, and no reason to stop a team
    strict: bool = False
    exit_zero: bool = False
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    seed: int = 0
    python: Path | None = None  # the interpreter that runs the models; None: chosen
    devices: bool = False  # let the models see accelerators
    fast: bool = False  # run the quick probes alone
    memory_bytes: int | None = None  # of each model, above what torch maps; None: chosen
    jobs: int | None = None  # models examined at once; None: as many as cores and memory allow
    show_output: bool = False  # tell what the models' code printed
    cache: bool = True  # answer from results of earlier runs, and keep new ones
    build: str | None = None  # an expression that builds the one model that was named
    call: str | None = None  # an expression that runs it
    text: GivenText | None = None  # from stdin, in the place of the targets
    # By "path.py:Class" of the project, from [tool.gptdoctor.models] of pyproject.toml.
    models: Mapping[str, ModelConfig] = field(default_factory=dict)

    def wants(self, code: str) -> bool:
        """Whether findings of this rule are asked for; the longer prefix wins, then `ignore`."""
        selected = _longest(code, self.select) if self.select else 0
        ignored = _longest(code, self.ignore)
        return selected >= 0 and selected > ignored if ignored >= 0 else selected >= 0


def toml_string(code: str) -> str:
    """Code as a string of TOML: in single quotes where it has none itself but double ones."""
    if '"' in code and "'" not in code and code.isprintable():
        return f"'{code}'"
    return json.dumps(code, ensure_ascii=False)


def _longest(code: str, prefixes: tuple[str, ...]) -> int:
    """The length of the longest prefix of `code` among `prefixes`, -1 where there is none."""
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix.upper())), default=-1)
