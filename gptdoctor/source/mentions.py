"""What may belong to a class, by the words in its text: to follow what does takes long."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.kept import kept_by
from gptdoctor.source.lineage import Home, Link, named
from gptdoctor.source.network_signs import is_layers, is_pythons
from gptdoctor.source.outlines import Outline, Sketch, UnsureError
from gptdoctor.source.places import Origin
from gptdoctor.source.project import Project

# Kept for each project: classes that mention each other would keep each other for ever.
_KNOWN: MutableMapping[Project, dict[Link, tuple[Link, ...]]] = kept_by()


def family_by_words(project: Project, info: ClassInfo) -> Iterator[Link | None]:
    """At least the `Project.family` of a class, near before far, as words tell it.

    Ends with None where words do not tell: more may be of it.
    """
    seen: set[Link] = {info}
    queue: list[Link] = [info]
    while queue:
        one = queue.pop(0)
        yield one
        try:
            fresh = [other for other in _mentioned(project, one) if other not in seen]
        except (UnsureError, OSError):
            yield None
            return
        seen.update(fresh)
        queue += fresh


def _mentioned(project: Project, link: Link) -> tuple[Link, ...]:
    """At least the bases and parts of a class: whatever it names stands in its text."""
    known = _KNOWN.setdefault(project, {})
    if link not in known:
        home = link.home if isinstance(link, Sketch) else link.module
        text = link.text
        words = {*_of_file(project, home, text), *_imported(project, home, text)}
        known[link] = tuple(one for one in words if _may_belong(project, one, link))
    return known[link]


# What stands before a name that is no base, and neither called nor handed on where it stands:
# `config: Config`, `-> Config`, `config_class = Config`, and the marks of a word in a docstring.
_BESIDE = re.compile(r"(?:[:=`]|->)[ \t]*\Z")
# What leads on to something else than the name alone: a call, an attribute, the next line.
_LEADS_ON = re.compile(r"\s*[(.\[\\#]")
_NEAR = 20


def uses(text: str, name: str, *, attribute: bool = True) -> bool:
    """Whether a name may be a base in the text of a class, or called or handed on there.

    `attribute`: also as an attribute of something, `self.NAME`.
    """
    at = text.find(name)
    while at >= 0:
        end = at + len(name)
        before = text[at - 1 : at]
        whole = not _goes_on(before) and not _goes_on(text[end : end + 1])
        if whole and (attribute or before != ".") and not _is_beside(text, at, end):
            return True
        at = text.find(name, end)
    return False


def _goes_on(character: str) -> bool:
    """Whether a character belongs to the name beside it."""
    return character == "_" or character.isalnum()


def _is_beside(text: str, begin: int, end: int) -> bool:
    before = _BESIDE.search(text, max(0, begin - _NEAR), begin)
    return before is not None and _LEADS_ON.match(text, end) is None


def _of_file(project: Project, home: Home, text: str) -> Iterator[Link]:
    if not isinstance(home, Outline):
        yield from (one for one in project.classes(home).values() if uses(text, one.name))
        return
    yield from (home.sketch(name) for name in home.classes if uses(text, name))


def _imported(project: Project, home: Home, text: str) -> Iterator[Link]:
    for bound, qualified in _aliases(home).items():
        if bound not in text or not uses(text, bound, attribute=False):
            continue
        if qualified is None:
            raise UnsureError
        if not _is_own(project, qualified.partition(".")[0], home):
            continue
        if f"{bound}." in text and _is_own(project, qualified, home):
            raise UnsureError  # an attribute of a module may be anything
        known = _MEANT.setdefault(project, {})
        key = (home, qualified)
        if key not in known:  # many classes of a file name the same imports
            known[key] = _named(project, qualified, home)
        meant = known[key]
        if meant is None:
            raise UnsureError
        yield from meant


# The class that a name means in a file, if it is one; None where only a parse tells.
_MEANT: MutableMapping[Project, dict[tuple[Home, str], tuple[Link, ...] | None]] = kept_by()


def _named(project: Project, qualified: str, home: Home) -> tuple[Link, ...] | None:
    try:
        link = named(project, qualified, home)
    except UnsureError:
        return () if _is_own(project, qualified, home) else None  # a module is no class
    return () if link is None else (link,)


def _aliases(home: Home) -> Mapping[str, str | None]:
    return home.aliases if isinstance(home, Outline) else home.names.aliases


def _is_own(project: Project, dotted: str, home: Home) -> bool:
    """Whether a name means a module, or a package, of the project."""
    return project.resolve(dotted, home).origin is Origin.PROJECT


def _may_belong(project: Project, one: Link, link: Link) -> bool:
    """Whether one class may be a base of another, or a network, as all parts are."""
    if any(base is one for _, base in project.links(link)):
        return True
    told = project.lineage(one)
    if told is None or any(map(is_layers, told.external)):
        return True
    return not all(map(is_pythons, told.external)) and "forward" in one.text
