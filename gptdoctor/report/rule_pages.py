"""The rules as Markdown, a page each and an index: what lies in `docs/rules/`."""

from __future__ import annotations

from collections.abc import Iterator

from gptdoctor.catalog import all_defects
from gptdoctor.defect import Defect
from gptdoctor.report.blocks import Block, CodeBlock, Document, Paragraph, Section, Table
from gptdoctor.report.document_words import severity, titled
from gptdoctor.report.markdown import render
from gptdoctor.report.prose import Inline, linked, literally, prose, sentence
from gptdoctor.report.rule_parts import (
    Part,
    after_the_example,
    before_the_example,
    by_family,
    by_run,
    fix_word,
    in_text,
)

INDEX = "README.md"  # what a hosting site shows of a folder
_FACTS = ("Severity", "In text", "By a run", "Fix")


def rule_pages() -> dict[str, str]:
    """Every page by the name of its file: of the code alone, so that links outlive a new name."""
    pages = {page_name(defect): render(_page(defect)) for defect in all_defects()}
    return {INDEX: render(_index()), **pages}


def page_name(defect: Defect) -> str:
    """The file of a rule's page, below `docs/rules/`."""
    return f"{defect.code}.md"


def _page(defect: Defect) -> Document:
    blocks: list[Block] = [Table(titled(*_FACTS), (_facts(defect),))]
    blocks += map(_section, before_the_example(defect))
    blocks.append(Section(prose("Example"), (CodeBlock(defect.sick),)))
    blocks.append(Section(prose("Use instead"), (CodeBlock(defect.healed),)))
    blocks += map(_section, after_the_example(defect))
    blocks.append(Paragraph(linked("All rules", INDEX)))
    return Document(title=f"{defect.code} {defect.name}", blocks=tuple(blocks))


def _section(part: Part) -> Section:
    return Section(prose(part.title), tuple(map(Paragraph, part.paragraphs)))


def _facts(defect: Defect) -> tuple[Inline, ...]:
    """The cells under `_FACTS`."""
    words = (in_text(defect), by_run(defect), fix_word(defect))
    return (severity(defect.severity), *map(literally, words))


def _index() -> Document:
    return Document(title="Rules", blocks=tuple(_index_blocks()))


def _index_blocks() -> Iterator[Block]:
    defects = all_defects()
    shown = sum(defect.in_text for defect in defects)
    yield Paragraph(
        prose(
            f"{len(defects)} rules, {shown} of which the text alone can show. In text: how sure it "
            "is then; - where only a run shows it. By a run: whether running the model confirms "
            "or refutes it. Fix: how far `gptdoctor fix` may go by itself."
        )
    )
    yield Paragraph(
        sentence(
            "The same is told by `gptdoctor rules` and `gptdoctor explain CODE`. These pages are "
            "written from the rules by `python docs/rules/write.py`."
        )
    )
    for title, members in by_family(defects).items():
        rows = tuple(map(_index_row, members))
        table = Table(titled("Code", "Name", *_FACTS, "What it does"), rows)
        yield Section(prose(title), (table,))


def _index_row(defect: Defect) -> tuple[Inline, ...]:
    code = linked(defect.code, page_name(defect))
    return (code, literally(defect.name), *_facts(defect), prose(defect.summary))
