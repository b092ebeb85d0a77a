"""A document in the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from gptdoctor.report.blocks import Block, CodeBlock, Document, Listing, Paragraph, Section, Table
from gptdoctor.report.highlight import code_lines
from gptdoctor.report.layout import print_code, print_hanging, print_wrapped, prose_width, to_text
from gptdoctor.report.prose import visible

WIDEST_TABLE = 140  # columns; cells hold sentences, too
_DEEPEST = 4  # the depth of the last heading that has a style of its own
_RULED = 2  # the depth of chapters, which get a rule that is seen without colours, too


def print_document(console: Console, document: Document) -> None:
    """The whole document."""
    console.print(Text(visible(document.title), style="heading.1"), soft_wrap=True)
    console.print()
    for block in document.blocks:
        _print_block(console, block, depth=_RULED)


def _print_block(console: Console, block: Block, depth: int) -> None:
    """One block with an empty line after it."""
    match block:
        case Section():
            _print_heading(console, to_text(console, block.title), depth)
            for inner in block.blocks:
                _print_block(console, inner, depth + 1)
            return
        case Paragraph():
            print_wrapped(console, to_text(console, block.text))
        case Listing():
            _print_listing(console, block)
        case Table():
            print_table(console, block)
        case CodeBlock():
            _print_code_block(console, block)
    console.print()


def _print_heading(console: Console, title: Text, depth: int) -> None:
    title.stylize_before(f"heading.{min(depth, _DEEPEST)}")
    if depth == _RULED:
        rest = max(0, prose_width(console) - title.cell_len - 1)
        title.append(f" {'─' * rest}", style="gutter")
    console.print(title, soft_wrap=True)
    if depth == _RULED:
        console.print()


def _print_listing(console: Console, listing: Listing) -> None:
    for number, item in enumerate(listing.items, start=1):
        mark = f"{number}. " if listing.ordered else "- "
        print_hanging(console, Text(mark, style="label"), to_text(console, item), " " * len(mark))


def print_table(console: Console, table: Table) -> None:
    """A table with a rule under its heads, as wide as it needs, without spaces at line ends."""
    shown = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="strong")
    for head in table.heads:
        shown.add_column(to_text(console, head), overflow="fold")
    for row in table.rows:
        shown.add_row(*(to_text(console, cell) for cell in row))
    with console.capture() as captured:
        console.print(shown, width=min(console.width, WIDEST_TABLE))
    # Cells are filled up with spaces, which nobody wants in a file or on a clipboard.
    for line in captured.get().rstrip("\n").split("\n"):
        text = Text.from_ansi(line)
        text.rstrip()
        console.print(text, soft_wrap=True)


def _print_code_block(console: Console, block: CodeBlock) -> None:
    if block.first_line is not None:
        print_code(console, block.code, first_line=block.first_line)
        return
    # No bar at the left: this is to be copied.
    for line in code_lines(block.code):
        console.print(Text.assemble("    ", line) if line.plain else "", soft_wrap=True)
