"""Questions about classes and functions of other files, with no more parses than they need."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.lineage import Link
from gptdoctor.source.module import SourceModule
from gptdoctor.source.outlines import Outline
from gptdoctor.source.project import Project


def descends_from(project: Project, info: ClassInfo, other: ClassInfo) -> bool:
    """Whether a class has another among its bases, near or far."""
    told = project.lineage(info)
    if told is None:
        return other in project.bases(info)
    return any(_is(link, other) for link in told.bases)


def _is(link: Link, info: ClassInfo) -> bool:
    if isinstance(link, ClassInfo):
        return link is info
    return link.name == info.symbol and link.home.file == info.module.file


def bases_saying(project: Project, info: ClassInfo, *texts: str) -> Iterator[ClassInfo]:
    """The project's bases of a class, near before far, without those that say none of some texts.

    There may be others among them.
    """
    told = project.lineage(info)
    for link in project.bases(info) if told is None else told.bases:
        said = link.text
        found = project.parsed(link) if any(text in said for text in texts) else None
        if found is not None:
            yield found


def bases_defining(project: Project, info: ClassInfo, name: str) -> Iterator[ClassInfo]:
    """The project's bases of a class that define a method of a name, near before far."""
    told = project.lineage(info)
    for link in project.bases(info) if told is None else told.bases:
        found = project.parsed(link) if _may_define(link, name) else None
        if found is not None and name in found.methods:
            yield found


def _may_define(link: Link, name: str) -> bool:
    """Whether a class has a method, as far as its text tells where it is not parsed."""
    if isinstance(link, ClassInfo):
        return name in link.methods
    own = name in link.home.functions and name in link.text
    return own and re.search(rf"\bdef\s+{name}\b", link.text) is not None


def home_of_function(
    project: Project, dotted: str, importer: SourceModule, name: str
) -> SourceModule | None:
    """The project's module `dotted`, asked for a function of its top level that it may define."""
    home = project.home(dotted, importer, name)
    if isinstance(home, Outline):
        return project.module(dotted, importer, name) if name in home.outer_functions else None
    return home
