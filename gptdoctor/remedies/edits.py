"""Changes to a text at the places of its nodes; all of it that no change names stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import libcst as cst

from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.parsed import ParsedSource, Span, walk


@dataclass(eq=False)
class Edits:
    """The changes that one remedy makes, told in any order and made at once."""

    source: ParsedSource
    _changes: list[tuple[int, int, str]] = field(default_factory=list)

    def replace(self, node: cst.CSTNode, text: str) -> None:
        """Write `text` in place of a node, its parentheses included."""
        self.replace_span(self.source.span(node), text)

    def replace_span(self, span: Span, text: str) -> None:
        """Write `text` in place of some characters."""
        self._changes.append((*span, text))

    def insert(self, offset: int, text: str) -> None:
        """Write `text` before the character at `offset`."""
        self._changes.append((offset, offset, text))

    def before(self, node: cst.CSTNode, lines: Iterable[str]) -> None:
        """Write lines before a statement, with its margin."""
        begin, _ = self.source.span(node)
        self.insert(self.source.line_start(begin), self._block(lines, self.source.margin(node)))

    def above_comments(self, node: cst.CSTNode, lines: Iterable[str]) -> None:
        """Write lines before a statement and the comments that stand right above it."""
        begin, _ = self.source.lines([node])
        self.insert(begin, self._block(lines, self.source.margin(node)))

    def after(self, node: cst.CSTNode, lines: Iterable[str], *, margin: str | None = None) -> None:
        """Write lines after the lines of a statement, with its margin where none is given."""
        source = self.source
        _, end = source.span(node)
        place = source.next_line(max(end - 1, 0))
        block = self._block(lines, source.margin(node) if margin is None else margin)
        if place == len(source.text) and not source.text.endswith(("\n", "\r")):
            # The file has no final newline: the lines bring one for the line before them.
            block = source.newline + block.removesuffix(source.newline)
        self.insert(place, block)

    def delete_lines(self, node: cst.CSTNode) -> None:
        """Take out all lines that a node stands in, comments at their ends included."""
        begin, end = self.source.span(node)
        place = self.source.line_start(begin), self.source.next_line(max(end - 1, 0))
        self.replace_span(place, "")

    def shift(self, lines: Span, old: str, new: str) -> None:
        """Move whole lines from the margin `old` to the margin `new`.

        Blank lines stay as they are, and so do lines that begin within a string.
        """
        begin, end = lines
        frozen = _string_lines(self.source)
        while begin < end:
            following = self.source.next_line(begin)
            blank = not self.source.text[begin:following].strip()
            if not blank and begin not in frozen and self.source.text.startswith(old, begin):
                self.replace_span((begin, begin + len(old)), new)
            begin = following

    def result(self) -> str:
        """The text with all changes made; raises Declined where two of them touch."""
        pieces: list[str] = []
        done = 0
        for begin, end, text in sorted(self._changes, key=lambda change: change[:2]):
            if begin < done:
                raise Declined("two changes would meet at one place")
            pieces += [self.source.text[done:begin], text]
            done = end
        return "".join([*pieces, self.source.text[done:]])

    def _block(self, lines: Iterable[str], margin: str) -> str:
        newline = self.source.newline
        return "".join(f"{margin}{line}{newline}" if line else newline for line in lines)


def _string_lines(source: ParsedSource) -> set[int]:
    """The starts of the lines that begin within a string."""
    found: set[int] = set()
    for string in walk(source.module, cst.SimpleString, cst.FormattedString):
        begin, end = source.span(string)
        line = source.next_line(begin)
        while line < end:
            found.add(line)
            line = source.next_line(line)
    return found
