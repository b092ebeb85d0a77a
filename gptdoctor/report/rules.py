"""`gptdoctor explain` and `gptdoctor rules`: what the rules are, from the defects themselves."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from rich.console import Console
from rich.text import Text

from gptdoctor.catalog import family_of
from gptdoctor.defect import Defect
from gptdoctor.report.highlight import code_lines
from gptdoctor.report.layout import print_line, print_wrapped, to_text
from gptdoctor.report.prose import prose
from gptdoctor.report.rule_parts import (
    Part,
    after_the_example,
    before_the_example,
    by_family,
    by_run,
    fix_word,
    in_text,
)

_HEADS = ("Code", "Name", "Severity", "In text", "By a run", "Fix")
_MARGIN = "  "


def print_rule(console: Console, defect: Defect) -> None:
    """The page of one rule."""
    level = defect.severity.value
    family = (family_of(defect).replace("_", " "), "aside")
    title = (f"{defect.code} {defect.name}", "rule")
    print_line(console, title, "  ", (level, f"severity.{level}"), "  ", family)
    for part in before_the_example(defect):
        _print_part(console, part)
    _print_example(console, defect)
    for part in after_the_example(defect):
        _print_part(console, part)


def print_rules(console: Console, defects: Sequence[Defect]) -> None:
    """The rules by family, a line each."""
    widths = [len(head) for head in _HEADS]
    for defect in defects:
        widths = [max(pair) for pair in zip(widths, map(len, _cells(defect)), strict=True)]
    heads = [(head, "strong") for head in _HEADS]
    _print_row(console, heads, widths)
    for title, members in by_family(defects).items():
        console.print()
        print_line(console, (title, "heading.2"))
        for defect in members:
            _print_row(console, list(zip(_cells(defect), _roles(defect), strict=True)), widths)
    console.print()
    told = (
        "In text: how sure the text alone is; - where only a run shows it. By a run: whether "
        "running the model confirms or refutes it. `gptdoctor explain CODE` says what a rule "
        "means and how it is proven."
    )
    print_wrapped(console, to_text(console, prose(told)))


def _cells(defect: Defect) -> tuple[str, ...]:
    """The words of a row, under `_HEADS`."""
    return (
        defect.code,
        defect.name,
        defect.severity.value,
        in_text(defect),
        by_run(defect),
        fix_word(defect),
    )


def _roles(defect: Defect) -> tuple[str, ...]:
    fix = "aside" if defect.fix is None else f"applicability.{defect.fix.applicability.value}"
    return ("rule", "text", f"severity.{defect.severity.value}", "text", "text", fix)


def _print_row(console: Console, cells: Sequence[tuple[str, str]], widths: Sequence[int]) -> None:
    line = Text(_MARGIN)
    for (word, role), width in zip(cells, widths, strict=True):
        line.append(word, role)
        line.append(" " * (width - len(word) + len(_MARGIN)))
    line.rstrip()
    console.print(line, soft_wrap=True)


def _print_part(console: Console, part: Part) -> None:
    _print_title(console, part.title)
    for paragraph in part.paragraphs:
        print_wrapped(console, to_text(console, paragraph), first=_MARGIN, rest=_MARGIN)


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
