"""`--help` of the commands with many options: under headings, in the order of their use.

In plain text at any width, so that it comes quickly and is good to search.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from typer.core import TyperCommand

FIRST = "Options"  # what only one command has, before all that others have as well
HEADINGS = {
    "How far to go": ("static", "fast", "watch"),
    "Rules": ("select", "ignore", "extend_select", "extend_ignore"),
    "Files": (
        *("exclude", "extend_exclude", "respect_gitignore", "force_exclude"),
        *("stdin_filename", "show_files"),
    ),
    "What is known already": ("baseline", "write_baseline", "diff_base"),
    "Result": ("output_format", "output_file", "trace", "show_output"),
    "Gate": ("fail_on", "strict", "exit_zero"),
    "Running models": (
        *("timeout_seconds", "memory_bytes", "jobs", "cache", "python", "devices", "seed"),
        *("build", "call", "write_config"),
    ),
    "Settings": ("config", "isolated", "show_settings"),
    "Help": ("traceback", "help"),
}
FEW = 5  # options that need no headings
# Columns for names; the text beside them has 50 at the least, of a terminal's 80.
_NAMES = 26
_BOTH_WAYS = re.compile(r"--([\w-]+) / --no-\1")

Row = tuple[str, str]


class GroupedCommand(TyperCommand):
    """A command whose options stand under headings."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and options of the page."""
        told = [(param, param.get_help_record(ctx)) for param in self.get_params(ctx)]
        rows = {str(param.name): _short(record) for param, record in told if record is not None}
        arguments = {str(param.name) for param, _ in told if param.param_type_name == "argument"}
        for heading, names in _sections(list(rows), arguments):
            with formatter.section(heading):
                table = [(rows[name][0].ljust(_NAMES), rows[name][1]) for name in names]
                formatter.write_dl(table, col_max=_NAMES)


def _sections(names: list[str], arguments: set[str]) -> Iterator[tuple[str, list[str]]]:
    options = [name for name in names if name not in arguments]
    headings = HEADINGS if len(options) > FEW else {}
    known = arguments.union(*headings.values())
    sections = {
        "Arguments": [name for name in names if name in arguments],
        FIRST: [name for name in names if name not in known],
        **{heading: [one for one in of if one in names] for heading, of in headings.items()},
    }
    yield from ((heading, members) for heading, members in sections.items() if members)


def _short(record: Row) -> Row:
    """Both names of a switch in one: "--static / --no-static" is "--[no-]static"."""
    names, told = record
    return _BOTH_WAYS.sub(r"--[no-]\1", names), told
