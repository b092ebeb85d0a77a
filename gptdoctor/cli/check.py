"""`gptdoctor check`: what keeps the models from training, and the proof."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gptdoctor.cli import options as shared
from gptdoctor.cli.completing import formats_joined
from gptdoctor.cli.examining import examine, with_baseline_written
from gptdoctor.cli.file_options import reading_files, words_again
from gptdoctor.cli.given_text import FilenameOption, options_with_text
from gptdoctor.cli.interrupts import ignore_interrupts
from gptdoctor.cli.outputs import Output, below, planned, prefixes, write_all
from gptdoctor.cli.watch import WatchOption, keep_watching
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
        help="text (default), concise, json, jsonl, sarif, github, gitlab, junit or markdown; "
        "several with a file each: text,sarif:out.sarif.",
        show_default=False,
        autocompletion=formats_joined,
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
WriteBaselineOption = Annotated[
    bool,
    typer.Option(
        "--write-baseline", help="Write what is found into the --baseline file, as known."
    ),
]
TraceOption = Annotated[
    bool,
    typer.Option("--trace", help="Show the data's path to where a gradient ends, line by line."),
]


@reading_files
def check(
    context: typer.Context,
    targets: shared.TargetsArgument = None,
    static: shared.StaticOption = None,
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
    write_baseline: WriteBaselineOption = False,
    trace: TraceOption = False,
    stdin_filename: FilenameOption = None,
    watch: WatchOption = False,
) -> None:
    """Examine models: scan the text, run tiny instances, say what keeps them from training."""
    show = partial(_show, outputs=planned(output_format, output_file), trace=trace)
    if watch:
        keep_watching(context, examine, partial(show, words=_words(context)))
    options = _options(context)
    examination = with_baseline_written(options) if write_baseline else examine(options)
    result = show(examination, options, words=_words(context))
    if write_config:
        _write_config(examination, options)
    raise typer.Exit(result.exit_code)


def _options(context: typer.Context) -> Options:
    """What was asked for; raises UsageError where the options speak against each other."""
    options = options_with_text(context)
    if context.params["write_config"] and (options.static or options.text):
        raise UsageError(
            "--write-config tells what running the models of saved files showed: "
            "it takes neither --static nor stdin"
        )
    return options


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


def _words(context: typer.Context) -> tuple[str, ...]:
    """What was asked for, as the next command has to ask for it again."""
    given = context.params
    words = [str(target) for target in given["targets"] or ()]
    for name in ("select", "ignore"):
        words += [f"--{name}", ",".join(given[name])] if given[name] else []
    words += words_again(given)
    for option, name in _AGAIN.items():
        value = given[name]
        word = f"{value:g}" if isinstance(value, float) else str(value)
        words += [option, word] if value is not None else []
    return (*words, *(f"--{name}" for name in ("devices", "fast") if given[name]))


def _show(
    examination: Examination,
    options: Options,
    *,
    outputs: Sequence[Output],
    words: tuple[str, ...],
    trace: bool,
) -> GateResult:
    from gptdoctor.diagnose.gate import gate, set_aside, shown
    from gptdoctor.report.checked import Checked
    from gptdoctor.source.targets import root_of

    result = gate(examination, options)
    findings, suppressed = shown(examination, options), set_aside(examination, options)
    root, folder = root_of(options.targets, Path.cwd()), Path.cwd()
    in_repository, from_here = prefixes(root, folder)
    checked = Checked(
        examination=dataclasses.replace(examination, findings=findings, suppressed=suppressed),
        gate=result,
        words=words,
        trace=trace,
        in_repository=in_repository,
        from_here=from_here,
        here=below(root, folder),
    )
    write_all(outputs, checked)
    return result
