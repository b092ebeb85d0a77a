"""Where lines call a name: a plain search, before any node of theirs is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.outlines import Sketch
from gptdoctor.source.project import Project
from gptdoctor.source.renamed import is_renamed
from gptdoctor.source.statements import places_of

# What may follow a called value, or the first of several arguments; the latter alone: group 1.
_FOLLOWING = re.compile(r"\s*(?:[(\[#\\]|\Z|([),]))")
# What may stand before the first argument but blanks: a bracket, or the point of an attribute.
_LEADING = ("(", ".", "")
_BLANKS = " \t\r\n\f\\"
_NEAR = 400  # letters before a name; a longer line may say anything
# What may follow a called name itself; behind "#" may be anything.
_OPENING = re.compile(r"[\s\\)]*[(#]")


def places_called(name: str, text: str) -> list[int]:
    """Where a name stands as a whole word as a called value may, or a first argument, in order."""
    return [
        place
        for place, found in _found(name, text, _FOLLOWING)
        if found[1] is None or _may_be_first(place, text)
    ]


def calls_name(name: str, text: str) -> bool:
    """Whether a text calls a name, of whatever it is the last one."""
    return next(_found(name, text, _OPENING), None) is not None


def _may_be_first(place: int, text: str) -> bool:
    """Whether an argument may be the first one, by what stands before it."""
    near = text[max(0, place - _NEAR) : place].rstrip(_BLANKS)
    _, ended, line = near.rpartition("\n")
    # Behind "#" may be anything, and what leads to the argument before it.
    return line[-1:] in _LEADING or "#" in line or (not ended and place > _NEAR)


def _found(name: str, text: str, following: re.Pattern[str]) -> Iterator[tuple[int, re.Match[str]]]:
    for place in places_of(text, name):
        before = text[place - 1 : place]
        found = following.match(text, place + len(name))
        if found is not None and not (before.isalnum() or before == "_"):
            yield place, found


def may_make(project: Project, user: ClassInfo, made: ClassInfo) -> bool:
    """Whether a text that a class has its attributes from may make an instance of another class.

    That takes a call of its name: in the class, in its bases or in a function of the file.
    """
    name, module = made.name, user.module
    if not name.isascii() or is_renamed(module, frozenset({name})):
        return True  # Python reads some letters as others
    if _calls(user, made):
        return True
    told = project.lineage(user)
    if told is None:
        return True
    for link in told.bases:
        if isinstance(link, Sketch):
            if name in link.home.aliases or name in link.home.classes:
                return True
        elif _calls(link, made) or (link.module is not module and name in link.module.text):
            return True
    functions = module.functions.values()
    return any(calls_name(name, module.lines_of(one)) for one in functions)


def _calls(info: ClassInfo, made: ClassInfo) -> bool:
    """Whether the lines of a class call another, or the same, other than in its own head."""
    head = info.name == made.name and bool(info.node.bases or info.node.keywords)
    return sum(1 for _ in _found(made.name, info.text, _OPENING)) > head
