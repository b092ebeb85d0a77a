"""What may belong to a class, by the words in its text: to follow what does takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.kept import kept_by
from gptdoctor.source.lineage import Home, Link, named
from gptdoctor.source.network_signs import is_layers, is_pythons
from gptdoctor.source.outlines import Outline, Sketch, UnsureError
from gptdoctor.source.places import Origin
from gptdoctor.source.project import Project

# Kept for each project: classes that mention each other would keep each other for ever.
_KNOWN: MutableMapping[Project, dict[Link, tuple[Link, ...]]] = kept_by()


def any_in_family(project: Project, info: ClassInfo, test: Callable[[Link], bool]) -> bool:
    """Whether a class, or one that may be of its `Project.family`, passes a test.

    True as well where words do not tell what the family is; False is sure.
    """
    seen: set[Link] = {info}
    queue: list[Link] = [info]
    try:
        while queue:
            one = queue.pop()
            if test(one):
                return True
            fresh = [other for other in _mentioned(project, one) if other not in seen]
            seen.update(fresh)
            queue += fresh
    except (UnsureError, OSError):
        return True
    return False


def _mentioned(project: Project, link: Link) -> tuple[Link, ...]:
    """At least the bases and parts of a class: whatever it names stands in its text."""
    known = _KNOWN.setdefault(project, {})
    if link not in known:
        home = link.home if isinstance(link, Sketch) else link.module
        text = link.text
        words = {*_of_file(project, home, text), *_imported(project, home, text)}
        known[link] = tuple(one for one in words if _may_belong(project, one, link))
    return known[link]


def _of_file(project: Project, home: Home, text: str) -> Iterator[Link]:
    if not isinstance(home, Outline):
        yield from (one for one in project.classes(home).values() if one.name in text)
        return
    yield from (home.sketch(name) for name in home.classes if name in text)


def _imported(project: Project, home: Home, text: str) -> Iterator[Link]:
    for bound, qualified in _aliases(home).items():
        if bound not in text:
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
