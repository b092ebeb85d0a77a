"""`gptdoctor explain` and `gptdoctor rules`: what the rules are, from the defects themselves."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from rich.console import Console
from rich.text import Text

from gptdoctor.catalog import module_of
from gptdoctor.defect import Defect
from gptdoctor.report.blocks import Table
from gptdoctor.report.document_words import severity, titled
from gptdoctor.report.highlight import code_lines
from gptdoctor.report.layout import print_line, print_wrapped, to_text
from gptdoctor.report.prose import Inline, literally, prose, sentence
from gptdoctor.report.terminal_document import print_table


def print_rule(console: Console, defect: Defect) -> None:
    """The page of one rule."""
    level = defect.severity.value
    print_line(
        console, (f"{defect.code} {defect.name}", "rule"), "  ", (level, f"severity.{level}")
    )
    print_wrapped(console, to_text(console, prose(defect.summary)))
    _print_part(console, "What is meant", prose(defect.explanation))
    _print_part(console, "Why it harms", prose(defect.harm))
    _print_example(console, defect)
    _print_part(console, "How it is confirmed", prose(defect.confirmed_by))
    _print_part(console, "Fix", _fix(defect))
    _print_part(console, "Where it lives", literally(home_of(defect), "path"))


def print_rules(console: Console, defects: Sequence[Defect]) -> None:
    """All rules in a table."""
    rows = tuple(
        (literally(one.code, "rule"), prose(one.name), severity(one.severity), _short_fix(one))
        for one in defects
    )
    print_table(console, Table(titled("Code", "Name", "Severity", "Fix"), rows))
    console.print()
    told = "`gptdoctor explain CODE` says what a rule means and how it is proven."
    print_wrapped(console, to_text(console, prose(told)))


def home_of(defect: Defect) -> str:
    """The file that the defect lives in."""
    return f"gptdoctor/defects/{module_of(defect).replace('.', '/')}.py"


def _fix(defect: Defect) -> Inline:
    fix = defect.fix
    if fix is None:
        return prose("None: what is right here only you know.")
    how = literally(fix.applicability.value, f"applicability.{fix.applicability.value}")
    return sentence(f"{fix.title} (", how, f"). {fix.safety}")


def _short_fix(defect: Defect) -> Inline:
    fix = defect.fix
    if fix is None:
        return literally("none", "aside")
    how = literally(fix.applicability.value, f"applicability.{fix.applicability.value}")
    return sentence(f"{fix.title} (", how, ")")


def _print_part(console: Console, title: str, told: Inline) -> None:
    _print_title(console, title)
    print_wrapped(console, to_text(console, told), first="  ", rest="  ")


def _print_example(console: Console, defect: Defect) -> None:
    """The sick example and the healed one in one listing: what they share is shown once."""
    _print_title(console, "Example, from sick (-) to healed (+)")
    sick, healed = code_lines(defect.sick), code_lines(defect.healed)
    matcher = SequenceMatcher(None, [one.plain for one in sick], [one.plain for one in healed])
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            _print_lines(console, " ", "gutter", sick[start:end])
        else:
            _print_lines(console, "-", "diff.removed", sick[start:end])
            _print_lines(console, "+", "diff.added", healed[new_start:new_end])


def _print_lines(console: Console, sign: str, role: str, lines: Sequence[Text]) -> None:
    for line in lines:
        shown = Text.assemble("  ", (f"{sign} │ ", role), line)
        shown.rstrip()
        console.print(shown, soft_wrap=True)


def _print_title(console: Console, title: str) -> None:
    console.print()
    console.print(Text(title, style="heading.2"), soft_wrap=True)
