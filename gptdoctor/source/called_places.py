"""Where lines call a name: a plain search, before any node of theirs is looked at."""

from __future__ import annotations

import re

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.outlines import Sketch
from gptdoctor.source.project import Project
from gptdoctor.source.renamed import is_renamed
from gptdoctor.source.statements import places_of

# What may follow a called value, or the first of several arguments.
_FOLLOWING = re.compile(r"\s*(?:[(\[),#\\]|\Z)")
# What may follow a called name itself; behind "#" may be anything.
_OPENING = re.compile(r"[\s\\)]*[(#]")


def places_called(name: str, text: str) -> list[int]:
    """Where a name stands as a whole word before what may follow a called value, in order."""
    return _places(name, text, _FOLLOWING)


def calls_name(name: str, text: str) -> bool:
    """Whether a text calls a name, of whatever it is the last one."""
    return bool(_places(name, text, _OPENING))


def _places(name: str, text: str, following: re.Pattern[str]) -> list[int]:
    found: list[int] = []
    for place in places_of(text, name):
        before = text[place - 1 : place]
        if following.match(text, place + len(name)) and not (before.isalnum() or before == "_"):
            found.append(place)
    return found


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
    return any(_places(name, module.lines_of(function), _OPENING) for function in functions)


def _calls(info: ClassInfo, made: ClassInfo) -> bool:
    """Whether the lines of a class call another, or the same, other than in its own head."""
    head = info.name == made.name and bool(info.node.bases or info.node.keywords)
    return len(_places(made.name, info.text, _OPENING)) > head
