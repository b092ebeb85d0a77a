"""Heads of methods that many classes share, because whoever calls them gives all the same."""

from __future__ import annotations

import re
from pathlib import Path

from gptdoctor.source.flow_functions import Function
from gptdoctor.source.project import Project
from gptdoctor.source.told import EVERYTHING

# Two more that take the very same are three in all: no chance any more, but somebody's demand.
FEWEST_OTHERS = 2
_HEAD = r"\bdef\s+{}\s*(\([^()]*\))"


def is_shared(function: Function, project: Project) -> bool:
    """Whether files beside a method's own define others of its name that take the very same."""
    head = re.compile(_HEAD.format(re.escape(function.name)))
    own = head.search(function.text)
    if own is None:
        return False
    found = 0
    for other in _beside(project, function.module.file):
        text = project.text(other)
        if text is not None and function.name in text:
            found += any(_bare(one) == _bare(own[1]) for one in head.findall(text))
    return found >= FEWEST_OTHERS


def _beside(project: Project, file: Path) -> list[Path]:
    """The other files of a folder, whose texts the answer rests on."""
    others = sorted(one for one in file.parent.glob("*.py") if one != file)
    project.footprints.looked(file, frozenset([file.parent]))
    for other in others:
        project.footprints.note(file, other, (EVERYTHING,))
    return others


def _bare(head: str) -> str:
    """A list of parameters however it is laid out."""
    return re.sub(r"\s+|,\s*(?=\)$)", "", head)
