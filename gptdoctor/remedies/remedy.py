"""The form that every remedy fills in.

A remedy is a frozen value, `REMEDY`, at the end of `remedies/<family>/<name>.py`; the defect of
the same name promises it. Its function reads the lossless tree, decides by local data flow, and
returns the whole new text. Where it is not sure it declines: a guess would be written into a
user's file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import libcst as cst

from gptdoctor.core.diagnosis import ModelDiagnosis
from gptdoctor.core.findings import Finding
from gptdoctor.core.repairs import Applicability
from gptdoctor.remedies.parsed import ParsedSource
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project


@dataclass(frozen=True, kw_only=True)
class Request:
    """One finding to be mended, and what is known of its file."""

    finding: Finding
    source: ParsedSource  # of the file as mended so far, with its own line ends
    module: SourceModule  # the same text, with "\n" at the ends of its lines
    project: Project
    model: ModelDiagnosis | None  # of the finding's main model

    def here(self, node: cst.CSTNode) -> bool:
        """Whether a node begins in the finding's first line, in the finding's function or class."""
        return self.source.line(node) == self.finding.location.line and self.within(node)

    def covered(self, node: cst.CSTNode) -> bool:
        """Whether the finding's first line is one of a node's lines."""
        line = self.finding.location.line
        return self.source.line(node) <= line <= self.source.last_line(node) and self.within(node)

    def within(self, node: cst.CSTNode) -> bool:
        """Whether a node is, or lies in, the finding's function or class."""
        symbol, found = self.source.symbol(node), self.finding.symbol
        return not found or symbol == found or symbol.startswith(f"{found}.")

    def dotted(self, node: cst.CSTNode | None) -> str | None:
        """The dotted name of a chain of names, through the imports of the file."""
        parts: list[str] = []
        while isinstance(node, cst.Attribute):
            parts.insert(0, node.attr.value)
            node = node.value
        if not isinstance(node, cst.Name):
            return None
        return ".".join([self.module.names.aliases.get(node.value, node.value), *parts])


def _no_limit(request: Request) -> Applicability:
    return Applicability.SAFE


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """The codemod of one defect.

    `mend` gives the new text of the finding's file, or raises Declined. `limit` says how far
    this instance may go at most: a remedy with a second, weaker form says so here.
    """

    mend: Callable[[Request], str]
    limit: Callable[[Request], Applicability] = _no_limit
