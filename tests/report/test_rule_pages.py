"""The pages in `docs/rules/`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from gptdoctor.catalog import all_defects
from gptdoctor.defect import Defect
from gptdoctor.report.rule_pages import INDEX, page_name, rule_pages
from tests.report.screens import page_of

FOLDER = Path(__file__).parents[2] / "docs" / "rules"
HEADINGS = [
    "What it does",
    "Why it hurts training",
    "Example",
    "Use instead",
    "How it is confirmed",
    "Confidence",
    "Fix safety",
    "How to suppress",
    "Where it lives",
]


@cache
def pages() -> dict[str, str]:
    """All of them, made once."""
    return rule_pages()


def test_the_pages_are_current_and_none_is_left_over() -> None:
    """Else write them anew: python docs/rules/write.py."""
    written = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.md")}
    current = pages()
    assert sorted(written) == sorted(current), "run python docs/rules/write.py"
    old = [name for name, text in current.items() if written[name] != text]
    assert not old, "run python docs/rules/write.py"


@pytest.mark.parametrize("defect", all_defects(), ids=lambda one: one.code)
def test_a_page_tells_what_explain_tells(defect: Defect) -> None:
    """Under the same headings, in the same words, and with both examples whole."""
    page = pages()[page_name(defect)]
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == HEADINGS
    assert f"```python\n{defect.sick.rstrip()}\n```" in page
    assert f"```python\n{defect.healed.rstrip()}\n```" in page
    shown = page_of(defect.code)
    before, _, rest = shown.partition("\nExample, from sick")
    after = rest[rest.index("\nHow it is confirmed\n") :]
    assert words(before.partition("\n")[2]) in words(page)
    assert words(after) in words(page)


def words(text: str) -> str:
    """The words alone, without what marks code and weight."""
    return " ".join(re.findall(r"\w+", text))


def test_the_index_leads_to_every_page() -> None:
    """With severity, confidence, fix and summary."""
    index = pages()[INDEX]
    for defect in all_defects():
        [row] = [line for line in index.splitlines() if line.startswith(f"| [{defect.code}](")]
        assert f"({page_name(defect)}) | {defect.name} | **{defect.severity.value}** |" in row
        assert defect.summary.partition("`")[0] in row.replace("\\", "")
    assert "## GD1 gradients" in index
