"""Named style roles. A caller says what a word is, and only this file says how it looks.

The colours keep a contrast of at least 3 to 1 on black and on white: plain yellow and bright
colours vanish on a light terminal, dark blue on a dark one. Whether there is colour at all
(NO_COLOR, FORCE_COLOR, a pipe) is rich's to decide.
"""

from __future__ import annotations

from rich.theme import Theme

ORANGE = "dark_orange3"  # between red and yellow; readable on both backgrounds

STYLES = {
    "severity.critical": "bold red",
    "severity.high": "red",
    "severity.medium": ORANGE,
    "severity.low": "cyan",
    "status.confirmed": "bold",
    "status.suspected": "italic",
    "status.refuted": "dim",
    "verdict.untrainable": "bold red",
    "verdict.degraded": f"bold {ORANGE}",
    "verdict.unexamined": "bold magenta",
    "verdict.trainable": "bold green",
    "verdict.none": "dim",
    "applicability.safe": "green",
    "applicability.unsafe": ORANGE,
    "applicability.display": "dim",
    "outcome.proven": "bold green",
    "outcome.unproven": f"bold {ORANGE}",
    "outcome.failed": "bold red",
    "outcome.declined": "bold magenta",
    "diff.added": "green",
    "diff.removed": "red",
    "diff.hunk": "cyan",
    "diff.file": "bold",
    "text": "none",
    "strong": "bold",
    "aside": "dim",
    "code": "cyan",
    "pasted.python": "none",
    "pasted.shell": "none",
    "pasted.toml": "none",
    "rule": "bold",
    "path": "underline",
    "label": "dim",
    "gutter": "dim",
    "command": "bold cyan",
    "error": "bold red",
    "heading.1": "bold underline",
    "heading.2": "bold",
    "heading.3": "bold",
    "heading.4": "italic",
    "progress.spinner": "cyan",
    "python.comment": "dim",
    "python.keyword": "magenta",
    "python.string": "green",
    "python.number": "cyan",
    "python.decorator": "cyan",
}
THEME = Theme(STYLES, inherit=True)
