"""A document as GitHub-flavoured Markdown."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

from gptdoctor.report.blocks import Block, CodeBlock, Document, Listing, Paragraph, Section, Table
from gptdoctor.report.prose import Inline, Span, plain

# What means something anywhere in a line. An underscore inside a word is only an underscore. A
# bare address becomes a link up to the next space, and backslashes are letters of it: none begins.
_SPECIAL = re.compile(r"[\\`*\[\]<>|~&]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.")
# What means something where a block begins: a heading, a list, a quote, a rule.
_OPENING = re.compile(r"(\s*\d*)([#+=.)-])")
_LAST_HASHES = re.compile(r"#+$")
_CODE = ("code", "path", "command")
_STRONG = ("strong", "error", "severity.", "verdict.", "status.", "outcome.", "rule")


def render(document: Document) -> str:
    """The whole document."""
    return f"{_heading(document.title, depth=1)}\n\n{render_blocks(document.blocks)}"


def render_blocks(blocks: Iterable[Block]) -> str:
    """Blocks that stand in another page, below a title of its own."""
    lines = [line for block in blocks for line in _block(block, depth=2)]
    return "\n".join(lines).rstrip() + "\n"


def _block(block: Block, depth: int) -> Iterator[str]:
    """The lines of a block, an empty one at the end."""
    match block:
        case Section():
            yield from (_heading(plain(block.title), depth), "")
            for inner in block.blocks:
                yield from _block(inner, depth + 1)
            return
        case Paragraph():
            yield _opened(_inline(block.text))
        case Listing():
            yield from _listing(block)
        case Table():
            yield from _table(block)
        case CodeBlock():
            yield from _code_block(block.code)
    yield ""


def _heading(title: str, depth: int) -> str:
    """A title in one line; hashes at its end would be taken for the heading's own."""
    text = _LAST_HASHES.sub(r"\\\g<0>", _escaped(" ".join(title.split())))
    return f"{'#' * min(depth, 6)} {text}"


def _listing(listing: Listing) -> Iterator[str]:
    for number, item in enumerate(listing.items, start=1):
        mark = f"{number}." if listing.ordered else "-"
        yield f"{mark} {_opened(_inline(item))}"


def _table(table: Table) -> Iterator[str]:
    yield _row(table.heads)
    yield _row_of(["---"] * len(table.heads))
    for row in table.rows:
        yield _row(row)


def _row(cells: tuple[Inline, ...]) -> str:
    return _row_of([_inline(cell, in_table=True) for cell in cells])


def _row_of(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code_block(code: str) -> Iterator[str]:
    """Fenced code, in a fence longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}python"
    yield code.rstrip()
    yield fence


def _inline(inline: Inline, *, in_table: bool = False) -> str:
    return "".join(_span(span, in_table=in_table) for span in _joined(inline))


def _joined(inline: Inline) -> Iterator[Span]:
    """Code beside code becomes one: the backticks between the two would be read as letters."""
    for is_code, spans in itertools.groupby(inline, _is_code):
        if is_code:
            yield Span("".join(span.text for span in spans), "code")
        else:
            yield from spans


def _is_code(span: Span) -> bool:
    return span.role in _CODE and bool(span.text.strip()) and not span.link


def _span(span: Span, *, in_table: bool) -> str:
    text = " ".join(span.text.splitlines()) or span.text
    if span.link:
        return f"[{_escaped(text)}]({span.link})"
    if _is_code(span):
        return _code_span(text, in_table=in_table)
    if span.role.startswith(_STRONG) and text.strip():
        return f"**{_escaped(text.strip())}**"
    return _escaped(text)


def _code_span(text: str, *, in_table: bool) -> str:
    """Code between as many backticks as it needs; a table takes a pipe for its own even there.

    A space at both ends is taken for the fence's.
    """
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if "`" in (text[0], text[-1]) or text[0] == text[-1] == " " else ""
    shown = text.replace("|", "\\|") if in_table else text
    return f"{fence}{space}{shown}{space}{fence}"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{found.group()}", text)


def _opened(text: str) -> str:
    """A line that a block may begin with, so that it begins none by chance."""
    opening = _OPENING.match(text)
    if opening is None:
        return text
    return f"{opening.group(1)}\\{opening.group(2)}{text[opening.end() :]}"
