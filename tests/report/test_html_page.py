"""The report as a page: what a browser's parser makes of it."""

from __future__ import annotations

import re

import pytest

from gptdoctor.report.blocks import Block, CodeBlock, Document, Listing, Paragraph, Section, Table
from gptdoctor.report.document import make_document
from gptdoctor.report.html_page import render
from gptdoctor.report.prose import code, linked, literally, plain, prose
from tests.report import samples
from tests.report.pages import NASTY, Page
from tests.report.screens import flat

# What a page is made of: nothing that runs, loads or is filled in.
TAGS = {"html", "head", "meta", "title", "style", "body", "nav", "a", "h1", "h2", "h3", "h4", "p"}
TAGS |= {"ul", "ol", "li", "div", "span", "table", "thead", "tbody", "tr", "th", "td"}


@pytest.mark.parametrize("name", samples.EXAMINATIONS)
def test_the_report_is_one_page_that_needs_nothing_else(name: str) -> None:
    """Nothing is loaded, each row has as many cells as its heads, each link has its place."""
    text = render(make_document(samples.EXAMINATIONS[name]))
    read = Page(text)
    assert read.tags <= TAGS
    assert not re.search(r"""\b(src|@import|url\()""", text)
    assert all("" not in row[:1] for row in read.rows)
    links, places = re.findall(r'href="#([^"]+)"', text), re.findall(r'id="([^"]+)"', text)
    assert links == places
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("text", NASTY)
def test_text_and_code_mean_themselves_in_every_block(text: str) -> None:
    """In titles, sentences, points, cells and code; and they are no tags."""
    inline = (*literally(text), *literally(" "), *code(text), *code(text))
    blocks: tuple[Block, ...] = (
        Section(literally(f"a {text}"), (Paragraph(inline),)),
        Listing((inline,)),
        Listing((inline,), ordered=True),
        Table((prose("a"), prose("b")), ((inline, prose("end")),)),
        Section(prose("Code"), (CodeBlock(f"{text}\nlast", first_line=7),)),
    )
    read = Page(render(Document("Title", blocks)))
    assert read.tags <= TAGS
    shown = flat(plain(inline))
    titles = ["Title", flat(f"a {text}")]
    assert [flat(block) for block in read.blocks] == [*titles, *[shown] * 3, "Code"]
    assert [[flat(cell) for cell in row] for row in read.rows] == [["a", "b"], [shown, "end"]]


def test_code_has_the_numbers_of_its_file_and_none_where_it_is_to_be_pasted() -> None:
    """Numbers are not taken along by who copies the lines."""
    numbered = render(Document("A", (CodeBlock("x = 1\ny = 2", first_line=9),)))
    assert re.findall(r"(\d+) │", numbered) == ["9", "10"]
    assert "user-select:none" in numbered
    assert "│" not in render(Document("A", (CodeBlock("x = 1\ny = 2"),)))


def test_a_link_leads_where_the_text_says() -> None:
    """And its address cannot leave its quotes."""
    page = render(Document("A", (Paragraph(linked("here", 'a.html?"><b>')),)))
    assert '<a href="a.html?&quot;&gt;&lt;b&gt;">here</a>' in page
