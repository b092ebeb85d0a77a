"""The pages of the rules."""

from __future__ import annotations

import pytest

from gptdoctor.catalog import all_defects
from gptdoctor.defect import Defect
from gptdoctor.report.rule_parts import home_of
from gptdoctor.report.rules import print_rules
from tests.report.screens import WIDTHS, flat, page_of, printed


@pytest.mark.parametrize("defect", all_defects(), ids=lambda one: one.code)
def test_a_page_tells_all_that_is_known_of_a_rule(defect: Defect) -> None:
    """What, why, how it is shown, how it is mended and how safe that is, and where it lives."""
    shown = flat(page_of(defect.code))
    for told in (defect.summary, defect.explanation, defect.harm, defect.confirmed_by):
        assert flat(told) in shown
    assert f"{defect.code} {defect.name} {defect.severity.value}" in shown
    assert home_of(defect) in shown
    assert f"# gptdoctor: ignore[{defect.code}] reason" in shown
    sure = f"{defect.confidence.value}: " if defect.in_text else "no text can show it: "
    assert f"confidence {sure}" in shown.lower()
    if defect.fix is not None:
        assert flat(f"{defect.fix.title} ({defect.fix.applicability.value})") in shown
        assert flat(defect.fix.safety) in shown


@pytest.mark.parametrize("defect", all_defects(), ids=lambda one: one.code)
def test_both_examples_can_be_read_off_the_page(defect: Defect) -> None:
    """Lines without "+" are the sick example, lines without "-" are the healed one."""
    page = page_of(defect.code, 200)
    listing = page.partition("healed (+)\n")[2].partition("\n\nHow it is")[0].splitlines()
    code = [(line[2], line[6:]) for line in listing]
    assert defect.sick.splitlines() == [text for sign, text in code if sign != "+"]
    assert defect.healed.splitlines() == [text for sign, text in code if sign != "-"]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_table_lists_every_rule(width: int) -> None:
    """On one line, with all that the heads name, and no line wider than the screen."""
    shown = printed(lambda console: print_rules(console, all_defects()), width)
    lines = shown.splitlines()
    assert all(len(line) <= width and line == line.rstrip() for line in lines)
    assert " ".join(lines[0].split()) == "Code Name Severity In text By a run Fix"
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("  GD")}
    assert rows == {
        one.code: [
            one.name,
            one.severity.value,
            one.confidence.value if one.in_text else "-",
            "yes" if one.convicts else "-",
            one.fix.applicability.value if one.fix else "-",
        ]
        for one in all_defects()
    }


def test_the_table_has_a_heading_for_each_family() -> None:
    """With the digit that its codes begin with, in their order."""
    shown = printed(lambda console: print_rules(console, all_defects())).splitlines()
    heads = [line for line in shown if line.startswith("GD")]
    assert heads == sorted(heads)
    assert {"GD1 gradients", "GD8 information flow"} <= set(heads)
    below = shown[shown.index("GD2 routing") + 1].split()
    assert below[:2] == ["GD201", "expert-output-overwritten"]


def test_a_pipe_gets_no_escape_sequences() -> None:
    """Both are good to grep."""
    shown = printed(lambda console: print_rules(console, all_defects()))
    shown += page_of(all_defects()[0].code)
    assert "\x1b" not in shown
