"""What a document is made of, whatever it is rendered to."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.report.prose import Inline


@dataclass(frozen=True)
class Paragraph:
    """One paragraph."""

    text: Inline


@dataclass(frozen=True)
class Listing:
    """Points, numbered where their order matters."""

    items: tuple[Inline, ...]
    ordered: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a row of heads; every row has as many cells."""

    heads: tuple[Inline, ...]
    rows: tuple[tuple[Inline, ...], ...]


@dataclass(frozen=True)
class CodeBlock:
    """Python source, numbered from `first_line` where it is an excerpt of a file."""

    code: str
    first_line: int | None = None


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: Inline
    blocks: tuple[Block, ...]


Block = Paragraph | Listing | Table | CodeBlock | Section


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    blocks: tuple[Block, ...]
