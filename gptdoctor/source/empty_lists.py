"""Which functions may begin a list that stays empty, and mind that: by the words of their lines."""

from __future__ import annotations

import re
from bisect import bisect_left

from gptdoctor.source.classes import FunctionNode, parameters
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.statements import any_between, lines_at

# Where a list begins that a condition may fill.
# Each pattern by itself: joined by "|", or led by "\b", they take ten times as long.
_BEGINNING = (
    re.compile(r"= ?(?:\[\s*\]|\{\s*\}|list\(\)|dict\(\))"),
    re.compile(r"filter\("),
    re.compile(r"for (?<= for )[^\n]+ in [^\n]+ if "),
    re.compile(r"if (?<=[ \n] if )[\w .!=()]+\n"),  # of a comprehension over several lines
)
# What minds an empty list, or hands a new one to a helper.
_MINDING = (
    *("cat(", "stack(", "concat", "reduce(", "max(", "min(", "len(", "pop("),
    *("[0]", "[-1]", "(["),
)
_COUNTING = (re.compile(r"\+=? ?1\b"),)
# What a method gives that a name is set to: `= self.collect(`.
_GIVEN = re.compile(r"= self\.(\w+)\(")

Stretches = tuple[tuple[int, int], ...]  # of a text: first position and the one behind, in order


def may_mind_an_empty_list(function: FunctionNode, module: SourceModule) -> bool:
    """Whether a function with inputs begins a list and minds its being empty, or divides by 0."""
    lines = _lines(module)
    last = function.end_lineno or function.lineno
    if not lines or not any_between(lines, function.lineno, last):  # as most
        return False
    begins, counts, places = _stretches(module)
    start, end = module.bounds(function.lineno, last)
    if not any_between(places, start, end):  # it is given one
        return any(map(module.text[start:end].__contains__, _MINDING))
    begun, counted = _within(start, end, begins), _within(start, end, counts)
    if not (begun or counted) or not _takes_anything(function):
        return False
    text = module.text[start:end]
    if counted and "= 0" in text and "/" in text:
        return True
    return begun and any(map(text.__contains__, _MINDING))


@kept(8)
def _lines(module: SourceModule) -> list[int]:
    """The lines of a file on which a list begins or is handed over, or something is counted."""
    places = _stretches(module)[2]
    return lines_at(module.text, (*places, *_handed(module))) if places else []


@kept(8)
def _handed(module: SourceModule) -> list[int]:
    """Where a method of a file's class is called for a list that it begins: `= self.collect(`."""
    text, begins = module.text, _stretches(module)[0]
    called = [(one[1], one.start()) for one in _GIVEN.finditer(text)] if begins else []
    if not called:
        return []
    names = set[str]()
    for first, _ in begins:
        at = text.rfind("def ", 0, first)
        names.add(text[at + 4 : text.find("(", at)] if at >= 0 else "")
    return [place for name, place in called if name in names and not name.startswith("__")]


def _takes_anything(function: FunctionNode) -> bool:
    return bool(parameters(function) or function.args.vararg or function.args.kwarg)


def _within(start: int, end: int, stretches: Stretches) -> bool:
    """Whether one of the stretches lies in a piece of the text."""
    for index in range(bisect_left(stretches, (start, start)), len(stretches)):
        first, behind = stretches[index]
        if behind <= end:
            return True
        if first >= end:
            return False
    return False


@kept(8)
def _stretches(module: SourceModule) -> tuple[Stretches, Stretches, list[int]]:
    """Where a list begins in a file, where something is counted, and where both do by themselves.

    Looked for once in a file: it has many functions, and most of them do neither.
    """
    begins, counts = _found(_BEGINNING, module.text), _found(_COUNTING, module.text)
    return begins, counts, sorted(first for first, _ in (*begins, *counts))


def _found(patterns: tuple[re.Pattern[str], ...], text: str) -> Stretches:
    return tuple(sorted(one.span() for pattern in patterns for one in pattern.finditer(text)))
