"""The options that commands share, and what is made of them."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from gptdoctor.config import DEFAULT_TIMEOUT_SECONDS, Options
from gptdoctor.core.errors import UsageError
from gptdoctor.core.findings import Severity

# Medium and low defects are worth knowing and no reason to stop a team.
DEFAULT_FAIL_ON = Severity.HIGH

TargetsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TARGET]...",
        help="Files, folders, FILE::Class or package.module:Class; default: this folder.",
        show_default=False,
    ),
]
StaticOption = Annotated[
    bool, typer.Option("--static", help="Read the text only; no user code runs, no verdict.")
]
SelectOption = Annotated[
    list[str] | None,
    typer.Option("--select", metavar="CODES", help="Only these rules: GD101,GD2."),
]
IgnoreOption = Annotated[
    list[str] | None, typer.Option("--ignore", metavar="CODES", help="Not these rules.")
]
FailOnOption = Annotated[
    Severity, typer.Option("--fail-on", help="The least severity that fails the gate.")
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="A model that could not be examined fails, too.")
]
ExitZeroOption = Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 whatever is found.")]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Time limit of each model.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of weights, inputs and draws.")]
PythonOption = Annotated[
    Path | None,
    typer.Option(
        "--python",
        metavar="PATH",
        help="The interpreter that runs the models; nothing is installed into it.",
    ),
]
DevicesOption = Annotated[
    bool, typer.Option("--devices", help="Let the models see accelerators (hidden by default).")
]
NoCacheOption = Annotated[
    bool,
    typer.Option("--no-cache", help="Run every model, though nothing has changed since it ran."),
]
# Read by `main`, which prints errors; here only so that it is accepted and documented.
TracebackOption = Annotated[
    bool, typer.Option("--traceback", help="Print a traceback when gptdoctor fails.")
]


class OutputFormat(str, Enum):
    """How `check` prints its result."""

    TEXT = "text"
    JSON = "json"


def make_options(
    targets: list[str] | None,
    *,
    static: bool = False,
    select: list[str] | None = None,
    ignore: list[str] | None = None,
    fail_on: Severity = Severity.HIGH,
    strict: bool = False,
    exit_zero: bool = False,
    timeout: float = DEFAULT_TIMEOUT_SECONDS,
    seed: int = 0,
    python: Path | None = None,
    devices: bool = False,
    no_cache: bool = False,
) -> Options:
    """The options of one run; raises UsageError for an unknown rule."""
    return Options(
        targets=tuple(targets or ()),
        static=static,
        select=_codes(select),
        ignore=_codes(ignore),
        fail_on=fail_on,
        strict=strict,
        exit_zero=exit_zero,
        timeout_seconds=timeout,
        seed=seed,
        python=python,
        devices=devices,
        cache=not no_cache,
    )


def _codes(words: list[str] | None) -> tuple[str, ...]:
    """Codes or prefixes of codes, given one by one or joined by commas."""
    if not words:
        return ()
    from gptdoctor.catalog import all_defects

    codes = [code.strip().upper() for word in words for code in word.split(",")]
    known = [defect.code for defect in all_defects()]
    for code in codes:
        if not any(one.startswith(code) for one in known) or not code:
            raise UsageError(f"no rule begins with {code!r}", hint=f"the rules are {known}")
    return tuple(codes)
