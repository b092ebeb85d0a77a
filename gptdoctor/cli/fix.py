"""`gptdoctor fix`: repairs that are proven before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gptdoctor.cli import options as shared
from gptdoctor.cli.file_options import reading_files
from gptdoctor.cli.given_text import FilenameOption, options_with_text
from gptdoctor.cli.interrupts import ignore_interrupts
from gptdoctor.config import GivenText, Options
from gptdoctor.core.errors import UsageError

if TYPE_CHECKING:
    from gptdoctor.checkup import Checkup
    from gptdoctor.core.diagnosis import Examination
    from gptdoctor.repair.repair import RepairOptions, RepairResult

ApplyOption = Annotated[
    bool, typer.Option("--apply", help="Write what is safe and proven; else only show it.")
]
UnsafeOption = Annotated[
    bool, typer.Option("--unsafe-fixes", help="Also fixes that guess what you meant.")
]
UnprovenOption = Annotated[
    bool, typer.Option("--unproven", help="Also fixes that no probe could judge.")
]


@reading_files
def fix(
    context: typer.Context,
    targets: shared.TargetsArgument = None,
    apply: ApplyOption = False,
    unsafe_fixes: UnsafeOption = False,
    unproven: UnprovenOption = False,
    select: shared.SelectOption = None,
    ignore: shared.IgnoreOption = None,
    fail_on: shared.FailOnOption = None,
    timeout_seconds: shared.TimeoutOption = None,
    memory_bytes: shared.MemoryOption = None,
    jobs: shared.JobsOption = None,
    seed: shared.SeedOption = None,
    python: shared.PythonOption = None,
    devices: shared.DevicesOption = False,
    cache: shared.CacheOption = None,
    build: shared.BuildOption = None,
    call: shared.CallOption = None,
    stdin_filename: FilenameOption = None,
) -> None:
    """Repair the source: show a diff and its proof; write it with --apply.

    The exit code is the one that `check` gives for the files as they are when this is done.
    A text on stdin (-) is printed as it is mended; the diff and its proof go to stderr.
    """
    from gptdoctor.diagnose.gate import gate
    from gptdoctor.repair.repair import RepairOptions

    options = options_with_text(context)
    if apply and options.text:
        raise UsageError("--apply writes files; a text on stdin is printed as it is mended")
    wanted = RepairOptions(unsafe_fixes=unsafe_fixes, unproven=unproven, wants=options.wants)
    before, result = _repair(options, wanted, write=apply)
    _show(before, result, applied=apply, aside=options.text is not None)
    if options.text is not None:
        _print_mended(options.text, result)
    mended = apply or options.text is not None
    raise typer.Exit(gate(result.examination if mended else before, options).exit_code)


def _repair(
    options: Options, wanted: RepairOptions, *, write: bool
) -> tuple[Examination, RepairResult]:
    """Examine, repair, and write the patches where that is asked for."""
    from gptdoctor.checkup import Checkup
    from gptdoctor.repair.apply import apply, recover
    from gptdoctor.repair.repair import repair
    from gptdoctor.report.consoles import stderr_console
    from gptdoctor.report.progress import Progress

    with (
        Progress(stderr_console()) as progress,
        Checkup(options, Path.cwd(), progress.listen) as checkup,
    ):
        told = recover(checkup.root)
        before = checkup.examine()
        result = repair(checkup, before, wanted, progress.listen, given=_given(options, checkup))
    if told:
        stderr_console().print(told, highlight=False)
    if write and result.patches:
        ignore_interrupts()
        apply(checkup.root, result.patches)
    return before, result


def _given(options: Options, checkup: Checkup) -> dict[str, str]:
    """The text on stdin with its own line ends, which a patch keeps."""
    from gptdoctor.repair.texts import decoded

    return {path: decoded(options.text.data, path).text for path in checkup.given if options.text}


def _print_mended(given: GivenText, result: RepairResult) -> None:
    """The text as it shall be, in the bytes that it came in, and nothing else on stdout."""
    import sys

    from gptdoctor.repair.texts import decoded

    source = decoded(given.data, given.file.name)
    shall_be = [one.after for one in result.patches if one.before == source.text]
    sys.stdout.buffer.write(source.encoded(shall_be[0]) if shall_be else given.data)
    sys.stdout.buffer.flush()


def _show(before: Examination, result: RepairResult, *, applied: bool, aside: bool) -> None:
    from gptdoctor.report.consoles import stderr_console, stdout_console
    from gptdoctor.report.diff import print_repair

    print_repair(
        stderr_console() if aside else stdout_console(),
        result.outcomes,
        result.patches,
        applied=applied,
        before=before,
        after=result.examination,
        piped=aside,
    )
