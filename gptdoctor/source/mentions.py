"""What may belong to a class, by the words in its text: to follow what does takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from weakref import WeakKeyDictionary

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.lineage import Home, Link, lineage_of, named
from gptdoctor.source.network_signs import is_layers, is_pythons
from gptdoctor.source.outlines import Outline, Sketch, UnsureError
from gptdoctor.source.project import Origin, Project

_KNOWN: WeakKeyDictionary[Link, tuple[Link, ...]] = WeakKeyDictionary()


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
    if link not in _KNOWN:
        home = link.home if isinstance(link, Sketch) else link.module
        text = link.text
        _KNOWN[link] = (*_of_file(project, home, text), *_imported(project, home, text, link))
    return _KNOWN[link]


def _of_file(project: Project, home: Home, text: str) -> Iterator[Link]:
    if not isinstance(home, Outline):
        yield from (one for one in project.classes(home).values() if one.name in text)
        return
    yield from (home.sketch(name) for name in home.classes if name in text)


def _imported(project: Project, home: Home, text: str, link: Link) -> Iterator[Link]:
    for bound, qualified in _aliases(home).items():
        if bound not in text:
            continue
        if qualified is None:
            raise UnsureError
        if not _is_own(project, qualified.partition(".")[0], home):
            continue
        if _is_own(project, qualified, home):
            if f"{bound}." in text:
                raise UnsureError  # an attribute of a module may be anything
            continue
        other = named(project, qualified, home)
        if other is not None and (qualified in link.bases or _may_be_network(project, other)):
            yield other


def _aliases(home: Home) -> Mapping[str, str | None]:
    return home.aliases if isinstance(home, Outline) else home.names.aliases


def _is_own(project: Project, dotted: str, home: Home) -> bool:
    """Whether a name means a module, or a package, of the project."""
    return project.resolve(dotted, home).origin is Origin.PROJECT


def _may_be_network(project: Project, link: Link) -> bool:
    told = lineage_of(project, link)
    return told is None or any(is_layers(name) or not is_pythons(name) for name in told.external)
