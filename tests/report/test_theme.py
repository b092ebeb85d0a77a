"""Roles, and the consoles that give them a look."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from enum import Enum

import pytest

from gptdoctor.core.diagnosis import Verdict
from gptdoctor.core.findings import Severity, Status
from gptdoctor.core.repairs import Applicability, Outcome
from gptdoctor.report.blocks import Block, Listing, Paragraph, Section, Table
from gptdoctor.report.consoles import stdout_console
from gptdoctor.report.document import make_document
from gptdoctor.report.prose import Inline, plain, prose
from gptdoctor.report.theme import STYLES
from tests.report import samples


def inlines(blocks: tuple[Block, ...]) -> Iterator[Inline]:
    """All sentences of a document."""
    for block in blocks:
        match block:
            case Section():
                yield block.title
                yield from inlines(block.blocks)
            case Paragraph():
                yield block.text
            case Listing():
                yield from block.items
            case Table():
                yield from block.heads
                for row in block.rows:
                    yield from row


@pytest.mark.parametrize("kind", [Severity, Status, Verdict, Applicability, Outcome])
def test_every_word_of_an_enumeration_has_a_style(kind: type[Enum]) -> None:
    """Rich passes over a style that it does not know in silence."""
    for member in kind:
        assert f"{kind.__name__.lower()}.{member.value}" in STYLES


@pytest.mark.parametrize("name", samples.EXAMINATIONS)
def test_every_role_in_a_document_has_a_style(name: str) -> None:
    """A misspelt role would only look plain."""
    document = make_document(samples.EXAMINATIONS[name])
    roles = {span.role for inline in inlines(document.blocks) for span in inline}
    assert roles <= set(STYLES)


def test_no_character_of_a_users_file_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that knows only ASCII shows what it cannot as a question mark."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    stdout_console().print("naïve → [bold]模型[/bold] :smile:")
    sys.stdout.flush()
    assert raw.getvalue() == b"na?ve ? [bold]??[/bold] :smile:\n"


def test_code_and_places_are_found_in_a_sentence() -> None:
    """Backticks mark code; a file with a line is a place; a lone backtick is only that."""
    found = prose("`x.T` at a/b_c.py:12:3 and it`s file.py")
    assert [(span.text, span.role) for span in found] == [
        ("x.T", "code"),
        (" at ", "text"),
        ("a/b_c.py:12:3", "path"),
        (" and it`s file.py", "text"),
    ]
    assert plain(prose("a\tb\x1b[2J\x00")) == "a    b\\x1b[2J\\x00"
