"""Expected lines, marked in the snippets themselves."""

from __future__ import annotations

import textwrap


def plain(snippet: str) -> str:
    """A snippet of an indented table, moved to the left."""
    return textwrap.dedent(snippet).strip() + "\n"


def marked(text: str) -> list[int]:
    """The lines of `text` that end with `# here`."""
    return [number for number, line in enumerate(text.splitlines(), 1) if line.endswith("# here")]
