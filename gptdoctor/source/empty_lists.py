"""Which functions may begin a list that stays empty, and mind that: by the words of their lines."""

from __future__ import annotations

import re

from gptdoctor.source.classes import FunctionNode, parameters
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule

# Where a list begins that a condition may fill.
# Each pattern by itself: joined by "|", or led by "\b", they take ten times as long.
_BEGINNING = (
    re.compile(r"= ?(?:\[\s*\]|\{\s*\}|list\(\)|dict\(\))"),
    re.compile(r"filter\("),
    re.compile(r" for [^\n]+ in [^\n]+ if "),
    re.compile(r"\n +if [\w .!=()]+\n"),  # of a comprehension over several lines
)
# What minds an empty list, or hands a new one to a helper.
_MINDING = (
    *("cat(", "stack(", "concat", "reduce(", "max(", "min(", "len(", "pop("),
    *("[0]", "[-1]", "(["),
)
_COUNTING = (re.compile(r"\+=? ?1\b"),)

Stretches = tuple[tuple[int, int], ...]  # of lines, first and last


def may_mind_an_empty_list(function: FunctionNode, module: SourceModule) -> bool:
    """Whether a function with inputs begins a list and minds its being empty, or divides by 0."""
    first, last = function.lineno, function.end_lineno or function.lineno
    begins, counts = _stretches(module)
    begun, counted = _within(first, last, begins), _within(first, last, counts)
    if not (begun or counted) or not _takes_anything(function):
        return False
    text = module.segment(first, last)
    if counted and "= 0" in text and "/" in text:
        return True
    return begun and any(map(text.__contains__, _MINDING))


def _takes_anything(function: FunctionNode) -> bool:
    return bool(parameters(function) or function.args.vararg or function.args.kwarg)


def _within(first: int, last: int, stretches: Stretches) -> bool:
    return any(first <= start and end <= last for start, end in stretches)


@kept(8)
def _stretches(module: SourceModule) -> tuple[Stretches, Stretches]:
    """The lines where a list begins, and those where something is counted.

    Looked for once in a file: it has many functions, and most of them do neither.
    """
    text = module.text
    return _found(_BEGINNING, text), _found(_COUNTING, text)


def _found(patterns: tuple[re.Pattern[str], ...], text: str) -> Stretches:
    found: list[tuple[int, int]] = []
    for pattern in patterns:
        line, known = 1, 0
        for match in pattern.finditer(text):
            line += text.count("\n", known, match.start())
            known = match.start()
            found.append((line, line + text.count("\n", known, match.end())))
    return tuple(found)
