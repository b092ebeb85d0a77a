"""Markdown, read by cmark-gfm: the parser that GitHub itself renders with."""

from __future__ import annotations

import dataclasses

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options

from gptdoctor.report.blocks import Block, CodeBlock, Document, Listing, Paragraph, Section, Table
from gptdoctor.report.markdown import render
from gptdoctor.report.prose import code, literally, plain, prose
from tests.report import samples
from tests.report.pages import NASTY, Page
from tests.report.screens import flat
from tests.report.written import EXAMINATIONS, written

# What the page of a check is made of.
PAGE = {"h1", "p", "strong", "code", "table", "thead", "tbody", "tr", "th", "td"}


def read_page(page: str) -> Page:
    """What GitHub makes of the Markdown; what its filter would take away shall be seen."""
    options = Options.CMARK_OPT_UNSAFE
    return Page(cmarkgfm.github_flavored_markdown_to_html(page, options=options))


@pytest.mark.parametrize("name", EXAMINATIONS)
def test_a_page_holds_nothing_but_a_title_sentences_and_tables(name: str) -> None:
    """And every row of a table has as many cells as its heads."""
    read = read_page(written("markdown", EXAMINATIONS[name]))
    assert read.tags <= PAGE
    assert {len(row) for row in read.rows} <= {3, 4}
    assert all("" not in row[:3] for row in read.rows)


@pytest.mark.parametrize("text", NASTY)
def test_a_message_is_read_in_its_cell_as_it_was_meant(text: str) -> None:
    """Whatever stands in a stranger's code, names and errors; backticks mark code."""
    message = f"{text} is lost"
    finding = dataclasses.replace(samples.NO_GRAD, message=message)
    page = written("markdown", dataclasses.replace(samples.REFERENCE, findings=(finding,)))
    read = read_page(page)
    assert read.tags <= PAGE
    *others, why = read.rows[-1]
    assert others == ["critical", "GD101 no-grad-in-forward (confirmed)", f"{samples.O_THREE}:178"]
    assert flat(why) == flat(plain(prose(f"{message}.")))


@pytest.mark.parametrize("text", NASTY)
def test_text_and_code_mean_themselves_in_every_block(text: str) -> None:
    """In titles, sentences, points, cells and fences."""
    inline = (*literally(text), *literally(" "), *code(text), *code(text))
    blocks: tuple[Block, ...] = (
        Section(literally(f"a {text}"), (Paragraph(inline),)),
        Listing((inline,)),
        Listing((inline,), ordered=True),
        CodeBlock(f"{text}\nlast"),
        Table((prose("a"), prose("b")), ((inline, prose("end")),)),
    )
    read = read_page(render(Document("Title", blocks)))
    shown = flat(plain(inline))
    assert [flat(block) for block in read.blocks] == [
        "Title",
        flat(f"a {text}"),
        *[shown] * 3,
        flat(f"{text}\nlast"),
    ]
    assert [[flat(cell) for cell in row] for row in read.rows] == [["a", "b"], [shown, "end"]]
