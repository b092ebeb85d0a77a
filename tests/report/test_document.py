"""The report: its chapters, in the terminal and as Markdown."""

from __future__ import annotations

import dataclasses

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from gptdoctor.core.diagnosis import Verdict
from gptdoctor.report.blocks import CodeBlock, Document, Listing, Paragraph, Section, Table
from gptdoctor.report.document import make_document
from gptdoctor.report.markdown import render
from gptdoctor.report.prose import code, literally, prose
from gptdoctor.report.standing import best_first
from gptdoctor.report.terminal_document import print_document
from tests.report import samples
from tests.report.screens import WIDTHS, flat, printed

CHAPTERS = (
    "Overview",
    "Trainability",
    "Findings",
    "Wiring training",
    "Comparison",
    "Order of repair",
    "Conclusion",
)


def markdown(name: str) -> str:
    """The report on one of the samples."""
    return render(make_document(samples.EXAMINATIONS[name]))


def parsed(text: str) -> list[Token]:
    """Markdown as its readers understand it."""
    return MarkdownIt("commonmark").enable("table").parse(text)


def words(token: Token) -> str:
    """The text of an inline token."""
    return "".join(child.content for child in token.children or [] if child.content)


def tables(text: str) -> list[list[list[str]]]:
    """The cells of all tables, by table and row."""
    found: list[list[list[str]]] = []
    tokens = parsed(text)
    for index, token in enumerate(tokens):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("th_open", "td_open"):
            found[-1][-1].append(words(tokens[index + 1]))
    return found


def chapter(text: str, title: str) -> str:
    """One chapter of a Markdown report."""
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("name", ["reference", "everything"])
def test_the_report_has_the_chapters_of_the_review(name: str) -> None:
    """In the review's order."""
    lines = markdown(name).splitlines()
    assert list(CHAPTERS) == [line[3:] for line in lines if line.startswith("## ")]


@pytest.mark.parametrize("name", samples.EXAMINATIONS)
def test_tables_are_well_formed(name: str) -> None:
    """Every row of every table has as many cells as its head, whatever stands in them."""
    for table in tables(markdown(name)):
        assert {len(table[0])} == {len(row) for row in table}


@pytest.mark.parametrize("name", samples.EXAMINATIONS)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_terminal_gets_the_same_facts(name: str, width: int) -> None:
    """No line of prose is wider than the screen, and nothing ends in spaces."""
    document = make_document(samples.EXAMINATIONS[name])
    shown = printed(lambda console: print_document(console, document), width)
    lines = shown.splitlines()
    assert all(line == line.rstrip() for line in lines)
    assert all(len(line) <= width for line in lines)
    for model in samples.EXAMINATIONS[name].models:
        assert model.name in shown


def test_every_finding_has_place_excerpt_evidence_impact_and_repair() -> None:
    """As the review has it, with the measurement in place of its claims."""
    told = chapter(markdown("reference"), "Findings")
    for finding in samples.SEVEN:
        assert f"`{finding.location.path}:{finding.location.line}`" in told
        assert finding.excerpt in told
    assert "#### GD101 no-grad-in-forward" in told
    assert "**Confirmed** by gradient-flow: 2 parameters get no gradient" in told
    assert "**Impact**: A trainer cannot use the model as it is" in told
    assert "**Repair**: Remove the decorator (safe)" in told
    assert "**Suspected**: blocked by the import" in told
    assert "### Refuted" in told


def test_what_holds_for_a_rule_is_said_once() -> None:
    """Two models without a loss are two places of one finding's section."""
    told = chapter(markdown("reference"), "Findings")
    assert told.count("#### GD601 no-training-loss") == 1
    assert told.count("A trainer cannot use the model as it is") == 1


def test_what_was_not_measured_is_called_so() -> None:
    """A missing fact is never a good one."""
    comparison = tables(chapter(markdown("reference"), "Comparison"))[0]
    rows = {row[0]: dict(zip(comparison[0][1:], row[1:], strict=True)) for row in comparison[1:]}
    assert rows["can generate"] == {
        "GPT4oModel": "yes",
        "GPT5Model": "not measured",
        "GPTo3Model": "yes",
    }
    assert rows["one CPU thread"]["GPTo3Model"] == "6.31 ms a step"
    assert rows["loss below a tenth"]["GPT4oModel"] == "not measured"
    assert rows["findings"]["GPT5Model"] == "1 high, 1 medium (1 suspected)"


def test_many_models_are_rows() -> None:
    """A table with more columns than a page holds is turned."""
    table = tables(chapter(markdown("everything"), "Comparison"))[0]
    assert [row[0] for row in table] == ["Model", *(one.name for one in samples.EVERYTHING.models)]


def test_a_trainable_model_is_the_base() -> None:
    """The recommendation follows the verdict, and says why."""
    told = chapter(markdown("everything"), "Conclusion")
    assert (
        "Build on **NanoModel**: **trainable**; no findings; its loss falls below a tenth" in told
    )


def test_an_unexamined_model_is_never_recommended() -> None:
    """Nothing found in it is not a reason for it."""
    assert best_first(samples.EVERYTHING)[-1].verdict is Verdict.UNEXAMINED
    alone = dataclasses.replace(samples.EVERYTHING, models=(samples.UNEXAMINED_MODEL,))
    told = chapter(render(make_document(alone)), "Conclusion")
    assert "No model could be examined." in told
    assert "whether it learns was not measured" in told


def test_without_a_trainable_model_the_nearest_is_named() -> None:
    """Critical findings weigh most."""
    told = chapter(markdown("reference"), "Conclusion")
    assert "No model can be trained as it is. Nearest is **GPT" in told
    assert best_first(samples.REFERENCE)[-1].name == "GPTo3Model"


def test_repairs_are_ordered_by_harm_and_then_by_what_they_uncover() -> None:
    """An import comes before what cannot be seen without it; a refuted finding never comes."""
    told = chapter(markdown("reference"), "Order of repair")
    titles = [line for line in told.splitlines() if line.startswith("### ")]
    assert titles == [
        "### At once (critical)",
        "### Soon (high)",
        "### Planned (medium)",
        "### Improvements (low)",
    ]
    assert told.index("GD501") < told.index("GD301")
    assert "gpt4o_model.py:177" not in told


def test_a_static_report_gives_no_verdict() -> None:
    """Nothing was run: no wiring, no comparison, no recommendation."""
    told = markdown("static")
    assert "nothing was run (--static)" in told
    assert "## Conclusion" not in told
    assert "untrainable" not in told


def test_trouble_of_the_tool_is_told() -> None:
    """A report on models that could not be run begins with the reason."""
    told = chapter(markdown("trouble"), "Overview")
    assert "**No model was run**: torch is not installed" in told


HOSTILE = [
    "a | b",
    "`tick` and ``two``",
    "*bold* __init__ _x_ ~~no~~",
    "<b>html</b> &amp; [link](url)",
    "back\\slash",
    "trailing `",
    "snake_case_name",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_means_itself_in_markdown(text: str) -> None:
    """A reader of the Markdown sees the characters that were meant, in and out of tables."""
    cell = (literally(text), code(text))
    document = Document(
        "Title",
        (
            Paragraph(literally(text)),
            Listing((literally(text), code(text))),
            Table((prose("a"), prose("b")), (cell,)),
        ),
    )
    rendered = render(document)
    inlines = [words(token) for token in parsed(rendered) if token.type == "inline"]
    assert inlines == ["Title", text, text, text, "a", "b", text, text]
    assert tables(rendered) == [[["a", "b"], [text, text]]]


@pytest.mark.parametrize("text", ["# no heading", "- no list", "1. no list", "+ no list", "> no"])
def test_a_sentence_never_begins_a_block(text: str) -> None:
    """What looks like a heading or a list at the start of a line is text."""
    tokens = parsed(render(Document("Title", (Paragraph(literally(text)),))))
    assert [token.type for token in tokens[3:]] == ["paragraph_open", "inline", "paragraph_close"]
    assert words(tokens[4]) == text


def test_code_with_fences_stays_one_block() -> None:
    """An excerpt that holds a fence gets a longer one around it."""
    source = 'x = """\n```python\ny\n```\n"""'
    tokens = parsed(render(Document("Title", (Section(prose("a"), (CodeBlock(source),)),))))
    fences = [token.content for token in tokens if token.type == "fence"]
    assert fences == [source + "\n"]


def test_a_rule_of_another_version_is_reported_without_its_harm() -> None:
    """A result file may know rules that this program does not."""
    later = dataclasses.replace(samples.NO_GRAD, rule="GD998", name="later-rule")
    told = render(make_document(dataclasses.replace(samples.REFERENCE, findings=(later,))))
    assert "#### GD998 later-rule" in told
    assert flat(later.excerpt) in told
