"""Where the result of `check` goes: a format each, to stdout or to a file of its own."""

from __future__ import annotations

import io
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gptdoctor.core.errors import UsageError
from gptdoctor.whole_files import usable_file, write_file

if TYPE_CHECKING:
    from gptdoctor.report.checked import Checked

DEFAULT = "text"
STDOUT = Path("-")


@dataclass(frozen=True)
class Output:
    """One format, and the file that it is written to; None: stdout."""

    format: str
    file: Path | None


def planned(words: Sequence[str] | None, file: Path | None) -> tuple[Output, ...]:
    """What `--output-format` and `--output-file` ask for, checked before anything is run.

    `words` are "FORMAT" or "FORMAT:FILE", several of them joined by commas; `file` is for the one
    that has none of its own.  Raises UsageError, also for a file that could not be written.
    """
    outputs = [_output(word) for given in words or [DEFAULT] for word in given.split(",")]
    without = [one for one in outputs if one.file is None]
    if len(without) > 1:
        named = " and ".join(one.format for one in without)
        raise UsageError(
            f"{named} would all be printed in one place",
            hint=f"give all but one a file: --output-format {without[-1].format}:FILE",
        )
    if file is not None:
        if not without:
            raise UsageError("--output-file has no format left, for each has a file of its own")
        outputs = [Output(one.format, one.file or usable_file(file)) for one in outputs]
    twice = [str(path) for path, times in Counter(map(_place, outputs)).items() if times > 1]
    if twice:
        raise UsageError(f"two formats would be written to {twice[0]}")
    return tuple(outputs)


def write_all(outputs: Sequence[Output], checked: Checked) -> None:
    """Write every format; a file is wholly old or wholly new at any moment."""
    from gptdoctor.report.output_formats import writer_of

    for output in outputs:
        text = io.StringIO()
        if output.file is None or output.file == STDOUT:
            # No letter of a user's file that this terminal has not may be an error.
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(errors="replace")
            writer_of(output.format)(checked, sys.stdout)
            continue
        writer_of(output.format)(checked, text)
        write_file(output.file, text.getvalue())
        typer.echo(f"wrote {output.file}", err=True)


def prefixes(root: Path, here: Path) -> tuple[str, str]:
    """What stands before a path below `root`, seen from the repository's top and from `here`."""
    tops = (folder for folder in (root, *root.parents) if (folder / ".git").exists())
    return _before(root, next(tops, root)), _before(root, here)


def below(root: Path, here: Path) -> str:
    """The way from `root` to `here` with "/" at its end, "" where that is not below it."""
    if here == root or not here.is_relative_to(root):
        return ""
    return f"{here.relative_to(root).as_posix()}/"


def _before(root: Path, start: Path) -> str:
    """The way from `start` to `root`, "" or with "/" at its end."""
    try:
        way = Path(os.path.relpath(root, start)).as_posix()
    except ValueError:  # two drives of Windows have no way between them
        way = root.as_posix()
    return "" if way == "." else f"{way}/"


def _output(word: str) -> Output:
    from gptdoctor.report.output_formats import require_format

    name, separator, file = word.partition(":")
    if separator and not file:
        raise UsageError(f"{word!r} names no file", hint=f"write it as {name}:FILE")
    return Output(require_format(name), usable_file(Path(file)) if file else None)


def _place(output: Output) -> Path:
    return Path(os.path.realpath(output.file)) if output.file else STDOUT
