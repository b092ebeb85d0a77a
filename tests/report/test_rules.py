"""The pages of the rules."""

from __future__ import annotations

import pytest

from gptdoctor.catalog import all_defects
from gptdoctor.defect import Defect
from gptdoctor.report.rules import home_of, print_rule, print_rules
from tests.report.screens import WIDTHS, flat, printed


@pytest.mark.parametrize("defect", all_defects(), ids=lambda one: one.code)
def test_a_page_tells_all_that_is_known_of_a_rule(defect: Defect) -> None:
    """What, why, how it is shown, how it is mended and how safe that is, and where it lives."""
    shown = flat(printed(lambda console: print_rule(console, defect)))
    for told in (defect.summary, defect.explanation, defect.harm, defect.confirmed_by):
        assert flat(told) in shown
    assert f"{defect.code} {defect.name} {defect.severity.value}" in shown
    assert home_of(defect) in shown
    if defect.fix is not None:
        assert flat(f"{defect.fix.title} ({defect.fix.applicability.value})") in shown
        assert flat(defect.fix.safety) in shown


@pytest.mark.parametrize("defect", all_defects(), ids=lambda one: one.code)
def test_both_examples_can_be_read_off_the_page(defect: Defect) -> None:
    """Lines without "+" are the sick example, lines without "-" are the healed one."""
    page = printed(lambda console: print_rule(console, defect), 200)
    listing = page.partition("healed (+)\n")[2].partition("\n\nHow it is")[0].splitlines()
    code = [(line[2], line[6:]) for line in listing]
    assert defect.sick.splitlines() == [text for sign, text in code if sign != "+"]
    assert defect.healed.splitlines() == [text for sign, text in code if sign != "-"]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_table_lists_every_rule(width: int) -> None:
    """With its name, its severity and its fix, and no line wider than the screen."""
    shown = printed(lambda console: print_rules(console, all_defects()), width)
    assert all(len(line) <= width and line == line.rstrip() for line in shown.splitlines())
    for defect in all_defects():
        assert defect.code in shown
        assert defect.name in shown


def test_a_pipe_gets_no_escape_sequences() -> None:
    """Both are good to grep."""
    shown = printed(lambda console: print_rules(console, all_defects()))
    shown += printed(lambda console: print_rule(console, all_defects()[0]))
    assert "\x1b" not in shown
