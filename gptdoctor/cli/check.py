"""`gptdoctor check`: what keeps the models from training, and the proof."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gptdoctor.cli import options as shared
from gptdoctor.cli.interrupts import ignore_interrupts
from gptdoctor.cli.outputs import Output, planned, prefixes, write_all
from gptdoctor.config import Options
from gptdoctor.core.errors import UsageError

if TYPE_CHECKING:
    from gptdoctor.core.diagnosis import Examination
    from gptdoctor.diagnose.gate import GateResult

FormatOption = Annotated[
    list[str] | None,
    typer.Option(
        "--output-format",
        metavar="FORMAT[:FILE]",
        help="How the result is told: text (default), concise, json, jsonl, sarif, github, "
        "gitlab, junit, markdown; several with a file each: text,sarif:out.sarif.",
        show_default=False,
    ),
]
FileOption = Annotated[
    Path | None,
    typer.Option(
        "--output-file", "-o", metavar="FILE", help="Write the result to this file, all at once."
    ),
]

# Options that decide how a model is run, by the parameters that hold them.
_AGAIN = {
    "--build": "build",
    "--call": "call",
    "--python": "python",
    "--seed": "seed",
    "--timeout": "timeout_seconds",
    "--memory": "memory_bytes",
}
WriteConfigOption = Annotated[
    bool,
    typer.Option("--write-config", help="Write each model's build and call into pyproject.toml."),
]
TraceOption = Annotated[
    bool,
    typer.Option("--trace", help="Show the data's path to where a gradient ends, line by line."),
]


def check(
    context: typer.Context,
    targets: shared.TargetsArgument = None,
    static: shared.StaticOption = False,
    select: shared.SelectOption = None,
    ignore: shared.IgnoreOption = None,
    fail_on: shared.FailOnOption = None,
    strict: shared.StrictOption = None,
    output_format: FormatOption = None,
    output_file: FileOption = None,
    exit_zero: shared.ExitZeroOption = False,
    timeout_seconds: shared.TimeoutOption = None,
    memory_bytes: shared.MemoryOption = None,
    jobs: shared.JobsOption = None,
    show_output: shared.ShowOutputOption = False,
    seed: shared.SeedOption = None,
    python: shared.PythonOption = None,
    devices: shared.DevicesOption = False,
    fast: shared.FastOption = False,
    cache: shared.CacheOption = None,
    build: shared.BuildOption = None,
    call: shared.CallOption = None,
    write_config: WriteConfigOption = False,
    trace: TraceOption = False,
    traceback: shared.TracebackOption = False,
) -> None:
    """Examine models: scan the text, run tiny instances, say what keeps them from training."""
    options = shared.options_of(context)
    if write_config and options.static:
        raise UsageError("--write-config tells what running the models showed; --static runs none")
    outputs = planned(output_format, output_file)
    examination = examine(options)
    result = _show(examination, options, outputs, _words(context), trace=trace)
    if write_config:
        _write_config(examination, options)
    raise typer.Exit(result.exit_code)


def _write_config(examination: Examination, options: Options) -> None:
    """Write the entries, and tell on stderr what was written: stdout may be JSON."""
    from gptdoctor.report.consoles import stderr_console
    from gptdoctor.report.written_config import print_written
    from gptdoctor.source.targets import root_of
    from gptdoctor.write_config import write_config

    root = root_of(options.targets, Path.cwd())
    ignore_interrupts()
    written = write_config(root, examination.models)
    print_written(stderr_console(), root, written.added, written.kept)


def examine(options: Options) -> Examination:
    """One checkup with its progress on stderr."""
    from gptdoctor.checkup import Checkup
    from gptdoctor.report.waiting import progress_on

    with (
        progress_on(sys.stderr) as progress,
        Checkup(options, Path.cwd(), progress.listen) as checkup,
    ):
        return checkup.examine()


def _words(context: typer.Context) -> tuple[str, ...]:
    """What was asked for, as the next command has to ask for it again."""
    given = context.params
    words = [str(target) for target in given["targets"] or ()]
    for name in ("select", "ignore"):
        words += [f"--{name}", ",".join(given[name])] if given[name] else []
    for option, name in _AGAIN.items():
        value = given[name]
        word = f"{value:g}" if isinstance(value, float) else str(value)
        words += [option, word] if value is not None else []
    return (*words, *(f"--{name}" for name in ("devices", "fast") if given[name]))


def _show(
    examination: Examination,
    options: Options,
    outputs: Sequence[Output],
    words: tuple[str, ...],
    *,
    trace: bool,
) -> GateResult:
    from gptdoctor.diagnose.gate import gate, shown
    from gptdoctor.report.checked import Checked
    from gptdoctor.source.targets import root_of

    result = gate(examination, options)
    in_repository, from_here = prefixes(root_of(options.targets, Path.cwd()), Path.cwd())
    checked = Checked(
        examination=dataclasses.replace(examination, findings=shown(examination, options)),
        gate=result,
        words=words,
        trace=trace,
        in_repository=in_repository,
        from_here=from_here,
    )
    write_all(outputs, checked)
    return result
