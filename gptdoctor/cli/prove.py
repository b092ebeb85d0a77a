"""`gptdoctor prove`: tests of the user's own that fail until a defect is gone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gptdoctor.cli import options as shared
from gptdoctor.cli.completing import rules_joined
from gptdoctor.cli.examining import examine
from gptdoctor.cli.file_options import reading_files
from gptdoctor.cli.interrupts import ignore_interrupts
from gptdoctor.core.errors import UsageError
from gptdoctor.whole_files import usable_file, write_file

if TYPE_CHECKING:
    from gptdoctor.prove.prove import Proven

RuleOption = Annotated[
    list[str] | None,
    typer.Option(
        "--rule",
        metavar="CODES",
        help="Only these rules: GD801,GD1.",
        autocompletion=rules_joined,
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE.py", help="Write the tests to this file."),
]
# Where a file that is only printed will lie, for all we know: here, under this name.
USUAL_NAME = "test_model_health.py"


@reading_files
def prove(
    context: typer.Context,
    targets: shared.TargetsArgument = None,
    rule: RuleOption = None,
    output: OutputOption = None,
    timeout_seconds: shared.TimeoutOption = None,
    memory_bytes: shared.MemoryOption = None,
    seed: shared.SeedOption = None,
    python: shared.PythonOption = None,
    cache: shared.CacheOption = None,
    build: shared.BuildOption = None,
    call: shared.CallOption = None,
) -> None:
    """Write a pytest file that fails while the confirmed defects of one model are there."""
    import dataclasses

    from gptdoctor.diagnose.gate import shown
    from gptdoctor.prove.prove import prove as prove_all
    from gptdoctor.source.targets import root_of
    from gptdoctor.worker.interpreter import choose_python

    if output is not None:
        _refuse_foreign(output)
    options = shared.options_of(context)
    if rule:
        options = dataclasses.replace(options, select=shared.rule_codes(rule))
    examination = examine(options)
    wanted = dataclasses.replace(examination, findings=shown(examination, options))
    root = root_of(options.targets, Path.cwd())
    interpreter = choose_python(str(options.python) if options.python else None, str(root))
    file = (output or Path(USUAL_NAME)).absolute()
    proven = prove_all(wanted, root, file, python=interpreter, seconds=options.timeout_seconds)
    _give(proven, output)


def _refuse_foreign(output: Path) -> None:
    """A file that gptdoctor did not write is not written over."""
    from gptdoctor.prove.written import MARK

    if output.exists() and MARK not in output.read_text(encoding="utf-8", errors="replace"):
        raise UsageError(
            f"{output} is there, and gptdoctor did not write it", hint="choose another -o"
        )
    usable_file(output)


def _give(proven: Proven, output: Path | None) -> None:
    """Write or print the file, and say on stderr what is in it."""
    from gptdoctor.report.consoles import stderr_console
    from gptdoctor.report.proven import print_proven

    ignore_interrupts()
    if proven.text and output is None:
        typer.echo(proven.text, nl=False)
    elif proven.text and output is not None:
        write_file(output, proven.text)
    print_proven(stderr_console(), proven, output)
