"""`gptdoctor report`: the review as a document, made from measurements."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptdoctor.cli import options as shared
from gptdoctor.cli.examining import examine
from gptdoctor.cli.file_options import reading_files
from gptdoctor.cli.interrupts import ignore_interrupts
from gptdoctor.core.errors import ResultFileError, UsageError
from gptdoctor.whole_files import usable_file, write_file

if TYPE_CHECKING:
    from gptdoctor.core.diagnosis import Examination
    from gptdoctor.report.blocks import Document

OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write Markdown, or HTML for FILE.html."),
]
FromOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="RESULT.json",
        help="Use the result of `check --output-format json` instead of running anything.",
    ),
]


@reading_files
def report(
    context: typer.Context,
    targets: shared.TargetsArgument = None,
    output: OutputOption = None,
    source: FromOption = None,
    timeout_seconds: shared.TimeoutOption = None,
    memory_bytes: shared.MemoryOption = None,
    jobs: shared.JobsOption = None,
    seed: shared.SeedOption = None,
    python: shared.PythonOption = None,
    devices: shared.DevicesOption = False,
    cache: shared.CacheOption = None,
    build: shared.BuildOption = None,
    call: shared.CallOption = None,
) -> None:
    """Write the trainability report: models, bugs, what to fix first, how to wire training."""
    if source is not None and targets:
        raise UsageError("--from takes no targets", hint="give targets or a result file, not both")
    if output is not None:
        usable_file(output)
    if source is not None:
        examination = _load(source)
    else:
        options = shared.options_of(context)
        examination = examine(options)
    _write(examination, output)


def _load(source: Path) -> Examination:
    from gptdoctor.report.json_document import from_document

    try:
        document: Any = json.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultFileError(f"{source} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ResultFileError(
            f"{source} is not JSON: {error}",
            hint="write it with: gptdoctor check --output-format json > result.json",
        ) from error
    return from_document(document)


def _write(examination: Examination, output: Path | None) -> None:
    from gptdoctor.report.consoles import stderr_console, stdout_console
    from gptdoctor.report.document import make_document

    document = make_document(examination)
    if output is None:
        from gptdoctor.report.terminal_document import print_document

        print_document(stdout_console(), document)
        return
    ignore_interrupts()
    write_file(output, _rendered(document, output))
    stderr_console().print(f"wrote {output}", highlight=False)


def _rendered(document: Document, output: Path) -> str:
    """The document as the file's ending asks for it: Markdown, unless it is a page's."""
    from gptdoctor.report import html_page, markdown

    page = output.suffix.lower() in (".html", ".htm")
    return html_page.render(document) if page else markdown.render(document)
