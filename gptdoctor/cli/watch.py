"""`gptdoctor check --watch`: the same again whenever a source changes, until Ctrl-C."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from gptdoctor.cli import options as shared
from gptdoctor.cli.given_text import STDIN
from gptdoctor.cli.interrupts import Interrupted
from gptdoctor.config import Options
from gptdoctor.core.errors import DoctorError, UsageError

if TYPE_CHECKING:
    from gptdoctor.core.diagnosis import Examination

WatchOption = Annotated[
    bool,
    typer.Option(
        "--watch", help="Look again whenever a source changes; with --no-static, run again, too."
    ),
]


def keep_watching(
    context: typer.Context,
    examine: Callable[[Options], Examination],
    show: Callable[[Examination, Options], object],
) -> NoReturn:
    """Examine and show, again and again; ends by Interrupted.

    A call that is wrong ends it before it begins.  What goes wrong later, such as a pyproject.toml
    that is being written, is told, and mended by the next change.
    """
    from gptdoctor.source.targets import root_of
    from gptdoctor.watching import turns

    params = context.params
    if STDIN in (params["targets"] or ()) or params["write_config"]:
        raise UsageError("--watch looks at files that change: no stdin, no --write-config")
    if params["static"] is None:
        params["static"] = True
    root = root_of(shared.options_of(context).targets, Path.cwd())
    before: Examination | None = None
    for _ in turns(root):
        if before is not None:
            typer.echo("changed; looking again", err=True)  # where an editor's task begins anew
        try:
            before = _turn(context, examine, show, before)
        except DoctorError as error:
            if before is None:
                raise
            typer.echo(f"gptdoctor: {error.message}", err=True)
    raise Interrupted


def _turn(
    context: typer.Context,
    examine: Callable[[Options], Examination],
    show: Callable[[Examination, Options], object],
    before: Examination | None,
) -> Examination:
    """One look: on a clear screen what is found, and under it what is new and what is gone."""
    from gptdoctor.diagnose.gate import shown
    from gptdoctor.report.changes import print_changes
    from gptdoctor.report.consoles import stderr_console, stdout_console

    options = shared.options_of(context)
    examination = examine(options)
    stdout_console().clear()  # nothing, where stdout is no terminal
    show(examination, options)
    now = dataclasses.replace(examination, findings=shown(examination, options))
    print_changes(stderr_console(), before, now)
    return now
