"""How findings are shown in the terminal: marked, and short where they are many."""

from __future__ import annotations

import dataclasses
import re

import pytest

from gptdoctor.core.findings import Confidence, Location
from tests.report import samples
from tests.report.screens import flat
from tests.report.test_text import text_of
from tests.report.written import many


@pytest.mark.parametrize("width", [80, 120])
def test_a_large_scan_is_short_and_ends_with_the_rules(width: int) -> None:
    """The first places of each rule, its number, and in the end every rule, the worst first."""
    static = dataclasses.replace(many(300), environment=samples.STATIC.environment)
    shown = text_of(static, width)
    lines = shown.splitlines()
    assert len(lines) < 140
    assert "critical GD201 expert-output-overwritten  38 places in 30 files" in shown
    assert shown.count("z_new[mask] = z_upd") == 3
    assert "… and 35 more in 28 files" in shown
    table = [
        line.split()
        for line in lines
        if re.match(r"(critical|high|medium|low) +GD\d+ .* in ", line)
    ]
    table = [words for words in table if "places" not in words]
    assert [words[0] for words in table] == ["critical"] * 2 + ["high"] * 2 + ["medium"] * 2 + [
        "low"
    ]
    assert sum(int(words[3]) for words in table) == 300
    flat_text = flat(shown)
    assert (
        "gptdoctor check --static --output-format concise 'models dir' lists all 300" in flat_text
    )
    assert flat_text.endswith(
        "gptdoctor check 'models dir' runs the models and tells what is true."
    )


def test_a_run_tells_every_finding_however_many() -> None:
    """What was measured is told of each place."""
    shown = text_of(many(300))
    assert shown.count("z_new[mask] = z_upd") == 38
    assert "more in" not in shown


@pytest.mark.parametrize(
    ("column", "end", "end_line", "excerpt", "marked"),
    [
        (9, 13, 7, "y = f(x) + 1", "    ^^^^"),
        (5, 17, 7, "y = f(x) + 1", ""),
        (5, 5, 7, "y = f(x) + 1", ""),
        (9, 3, 9, "y = f(x, 1,", "    ^^^^^^^"),
        (9, 12, 7, "名 = f(x) + 1", "     ^^^"),
    ],
)
def test_what_is_meant_is_marked_as_compilers_do(
    column: int, end: int, end_line: int, excerpt: str, marked: str
) -> None:
    """A range that is the whole line needs no mark; wide letters take two columns."""
    where = Location(path="m.py", line=7, column=column, end_line=end_line, end_column=end)
    finding = dataclasses.replace(
        samples.NO_GRAD, location=where, excerpt=excerpt, excerpt_column=5
    )
    shown = text_of(dataclasses.replace(samples.REFERENCE, findings=(finding,))).splitlines()
    line = shown.index(f"    7 │ {excerpt}")
    below = shown[line + 1]
    if marked:
        assert below == f"      │ {marked}"
    else:
        assert "^" not in below


def test_a_mark_beyond_the_screen_moves_the_line() -> None:
    """What is meant is in sight on every screen."""
    excerpt = f"x = [{'1, ' * 60}{'wrong(y)'}]"
    start = excerpt.index("wrong")
    where = samples.place("m.py", 7, start + 1, 8)
    finding = dataclasses.replace(samples.NO_GRAD, location=where, excerpt=excerpt)
    lines = text_of(dataclasses.replace(samples.REFERENCE, findings=(finding,))).splitlines()
    line = next(index for index, text in enumerate(lines) if "wrong(y)" in text)
    assert lines[line + 1].index("^") == lines[line].index("wrong(y)")
    assert lines[line + 1].count("^") == 8


def test_confidence_is_told_where_it_is_not_high() -> None:
    """Of what nothing was run for; a run knows more."""
    finding = dataclasses.replace(samples.NO_GRAD, confidence=Confidence.LOW)
    static = dataclasses.replace(samples.STATIC, findings=(finding,))
    assert "critical GD101 no-grad-in-forward  low confidence\n" in text_of(static)
    live = dataclasses.replace(samples.REFERENCE, findings=(finding,))
    assert "low confidence" not in text_of(live)
