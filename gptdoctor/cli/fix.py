"""`gptdoctor fix`: repairs that are proven before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gptdoctor.cli import options as shared
from gptdoctor.config import DEFAULT_TIMEOUT_SECONDS

ApplyOption = Annotated[
    bool, typer.Option("--apply", help="Write what is safe and proven; else only show it.")
]
UnsafeOption = Annotated[
    bool, typer.Option("--unsafe-fixes", help="Also fixes that guess what you meant.")
]
UnprovenOption = Annotated[
    bool, typer.Option("--unproven", help="Also fixes that no probe could judge.")
]


def fix(
    targets: shared.TargetsArgument = None,
    apply: ApplyOption = False,
    unsafe_fixes: UnsafeOption = False,
    unproven: UnprovenOption = False,
    select: shared.SelectOption = None,
    ignore: shared.IgnoreOption = None,
    timeout: shared.TimeoutOption = DEFAULT_TIMEOUT_SECONDS,
    seed: shared.SeedOption = 0,
    python: shared.PythonOption = None,
    devices: shared.DevicesOption = False,
    traceback: shared.TracebackOption = False,
) -> None:
    """Repair the source: show a diff and its proof; write it with --apply."""
    options = shared.make_options(
        targets,
        select=select,
        ignore=ignore,
        timeout=timeout,
        seed=seed,
        python=python,
        devices=devices,
    )
    _ = (options, apply, unsafe_fixes, unproven, Path)
