"""Markdown, read by cmark-gfm: the parser that GitHub itself renders with."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options

from gptdoctor.report.blocks import Block, CodeBlock, Document, Listing, Paragraph, Section, Table
from gptdoctor.report.markdown import render
from gptdoctor.report.prose import code, literally, plain, prose
from tests.report import samples
from tests.report.screens import flat
from tests.report.written import EXAMINATIONS, written

# What the page of a check is made of.
PAGE = {"h1", "p", "strong", "code", "table", "thead", "tbody", "tr", "th", "td"}
NASTY = [
    "`",
    "a `b` ``c`` ```d",
    "`a``b`",
    "`a`src/b.py:7",
    "`a|b` | c",
    "`\\|` and \\|",
    "`a\\`",
    "`  a  `",
    "` `",
    "`<b>` `&amp;`",
    "<script>alert(1)</script>",
    "<!-- no comment",
    "&lt; &#35; &copy",
    "# no heading #",
    "- no list",
    "1) no list",
    "> no quote",
    "---",
    "| --- | --- |",
    "~~~",
    "[a](javascript:1) ![b](c) [d][e] [^f]",
    "*a* **b** _c_ __init__ ~~d~~ ~e~",
    "http://a.org/b*c|d_e <https://a.org> ftp://a[b]",
    "www.a.org/*b* <www.a.org>",
    "a\nb\r\nc\u2028d",
    "back\\slash \\",
]


class Reader(HTMLParser):
    """The tags of a page, and the words of each of its tables' rows and of each other block."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.blocks: list[str] = []
        self._words: list[str] = []
        options = Options.CMARK_OPT_UNSAFE  # what a filter would take away shall be seen
        self.feed(cmarkgfm.github_flavored_markdown_to_html(page, options=options))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th", "p", "li", "pre", "h1", "h2"):
            self._words = []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.rows[-1].append("".join(self._words))
        elif tag in ("p", "li", "pre", "h1", "h2"):
            self.blocks.append("".join(self._words))

    def handle_data(self, data: str) -> None:
        self._words.append(data)


@pytest.mark.parametrize("name", EXAMINATIONS)
def test_a_page_holds_nothing_but_a_title_sentences_and_tables(name: str) -> None:
    """And every row of a table has as many cells as its heads."""
    read = Reader(written("markdown", EXAMINATIONS[name]))
    assert read.tags <= PAGE
    assert {len(row) for row in read.rows} <= {3, 4}
    assert all("" not in row[:3] for row in read.rows)


@pytest.mark.parametrize("text", NASTY)
def test_a_message_is_read_in_its_cell_as_it_was_meant(text: str) -> None:
    """Whatever stands in a stranger's code, names and errors; backticks mark code."""
    message = f"{text} is lost"
    finding = dataclasses.replace(samples.NO_GRAD, message=message)
    page = written("markdown", dataclasses.replace(samples.REFERENCE, findings=(finding,)))
    read = Reader(page)
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
    read = Reader(render(Document("Title", blocks)))
    shown = flat(plain(inline))
    assert [flat(block) for block in read.blocks] == [
        "Title",
        flat(f"a {text}"),
        *[shown] * 3,
        flat(f"{text}\nlast"),
    ]
    assert [[flat(cell) for cell in row] for row in read.rows] == [["a", "b"], [shown, "end"]]
