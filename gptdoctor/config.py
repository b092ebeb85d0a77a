"""What the user asked for, from the command line, as one typed object."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gptdoctor.core.findings import Severity

# A tiny model's examination takes about 2 s; a minute leaves room for a slow import.
DEFAULT_TIMEOUT_SECONDS = 60.0
ALL_RULES = "GD"  # what all codes begin with

# Folders that hold no source of the user's own, or copies of it.
SKIPPED_FOLDERS = (
    "__pycache__",
    "build",
    "dist",
    "node_modules",
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "testing",
)
# Tests make models sick on purpose.
TEST_FILES = ("test_*.py", "*_test.py", "conftest.py", "test_*.ipynb", "*_test.ipynb")
DEFAULT_EXCLUDE = (*(f"{name}/" for name in SKIPPED_FOLDERS), *TEST_FILES)


@dataclass(frozen=True, kw_only=True)
class FileChoice:
    """Which files below the folders that are named are read."""

    exclude: tuple[str, ...] = DEFAULT_EXCLUDE  # patterns as in .gitignore, seen from the root
    respect_gitignore: bool = True
    force_exclude: bool = False  # files that are named are held against `exclude` as well


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Rules as one place names them: a file, or the command line. None: it says nothing."""

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    extend_ignore: tuple[str, ...] = ()


def settled(selections: Iterable[Selection]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is selected and what is ignored in the end; the later of `selections` counts more.

    A `select` takes the place of all that was selected before, an `ignore` of all that was
    ignored; what extends them is added.
    """
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    for one in selections:
        select = select if one.select is None else one.select
        ignore = ignore if one.ignore is None else one.ignore
        if one.extend_select:
            select = (*(select or (ALL_RULES,)), *one.extend_select)
        ignore += one.extend_ignore
    return select, ignore


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
    files: FileChoice = field(default_factory=FileChoice)
    # Rules that are left alone in the files of a pattern, which is seen from the root.
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    severities: tuple[tuple[str, Severity], ...] = ()  # by code or beginning of one
    baseline: Path | None = None  # the file of findings that are known
    diff_base: str | None = None  # only what the branch from this revision brought in

    def severity_of(self, code: str, usual: Severity) -> Severity:
        """How bad findings of this rule are to the user; the longer prefix wins."""
        fitting = [one for one in self.severities if code.startswith(one[0])]
        return max(fitting, key=lambda one: len(one[0]))[1] if fitting else usual

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
