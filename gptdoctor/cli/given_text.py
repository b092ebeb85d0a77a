"""`-`: a text on stdin that stands for a file, as an editor holds it before it is saved."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import typer

from gptdoctor.cli import options as shared
from gptdoctor.config import GivenText, Options
from gptdoctor.core.errors import UsageError

STDIN = "-"
# The name of a text that was given none: it lies in the current folder, for all we know.
NAMELESS = "stdin.py"

FilenameOption = Annotated[
    Path | None,
    typer.Option(
        "--stdin-filename",
        metavar="PATH",
        help="The file that a text on stdin (target: -) stands for; it need not be there yet.",
    ),
]


def options_with_text(context: typer.Context) -> Options:
    """The options of a command that reads stdin where its target is "-".

    Imports, the project and its pyproject.toml are those of the file that the text stands for.
    """
    words = list(context.params["targets"] or ())
    name = context.params["stdin_filename"]
    if STDIN not in words:
        if name is not None:
            raise UsageError("--stdin-filename names a text on stdin", hint="the target for it: -")
        return shared.options_of(context)
    if len(words) > 1:
        raise UsageError("stdin (-) takes no other targets beside it")
    file = (Path.cwd() / (name or NAMELESS)).resolve()
    if file.is_dir() or file.suffix not in (".py", ".ipynb"):
        raise UsageError(f"--stdin-filename {name} names no .py or .ipynb file")
    # What is asked of the disk, such as pyproject.toml, is asked for the nearest folder there is.
    there = next(folder for folder in file.parents if folder.is_dir())
    context.params["targets"] = [str(there)]
    options = shared.options_of(context)
    context.params["targets"] = [str(name or STDIN)]
    data = sys.stdin.buffer.read()
    text = GivenText(file=file, text=_text(data), data=data)
    return dataclasses.replace(options, text=text)


def _text(data: bytes) -> str:
    """Source as the file would give it; bytes that are none stay for the parser to refuse."""
    from gptdoctor.source.module import decode

    try:
        return decode(data)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        return data.decode("utf-8", errors="surrogateescape")
