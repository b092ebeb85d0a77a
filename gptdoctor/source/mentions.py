"""What may belong to a class, by the words in its text: to follow what does takes long."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.kept import kept_by
from gptdoctor.source.lineage import Home, Link, named
from gptdoctor.source.outlines import Outline, Sketch, UnsureError
from gptdoctor.source.places import Origin
from gptdoctor.source.project import Project
from gptdoctor.source.statements import places_of

# Kept for each project: classes that mention each other would keep each other for ever.
_KNOWN: MutableMapping[Project, dict[Link, tuple[Link, ...] | None]] = kept_by()


def family_by_words(project: Project, info: ClassInfo) -> Iterator[Link | None]:
    """At least the `Project.family` of a class, near before far, as words tell it.

    Ends with None where words do not tell: more may be of it.
    """
    known = _KNOWN.setdefault(project, {})
    seen: set[Link] = {info}
    queue: list[Link] = [info]
    for one in queue:  # it grows on the way
        yield one
        if one not in known:
            known[one] = _mentioned(project, one)
        mentioned = known[one]
        if mentioned is None:
            yield None
            return
        queue += [other for other in mentioned if other not in seen]
        seen.update(mentioned)


@dataclass(eq=False)
class Candidates:
    """The names of one file that may mean a part of a class there; those that do not leave."""

    own: dict[str, list[str]]  # the file's classes by their last names
    aliases: dict[str, str | None]  # what imports of the project's own modules bind
    # The networks that those of them mean which some class uses.
    own_parts: dict[str, tuple[Link, ...]] = field(default_factory=dict)
    parts: dict[str, Link] = field(default_factory=dict)


# By project for the same reason: the parts of a file lead back to it.
_CANDIDATES: MutableMapping[Project, dict[Home, Candidates]] = kept_by()


def _candidates(project: Project, home: Home) -> Candidates:
    known = _CANDIDATES.setdefault(project, {})
    if home not in known:
        own: dict[str, list[str]] = {}
        for symbol in home.classes if isinstance(home, Outline) else project.classes(home):
            own.setdefault(symbol.rpartition(".")[2], []).append(symbol)
        known[home] = Candidates(own=own, aliases=_own_aliases(project, home))
    return known[home]


def _own_aliases(project: Project, home: Home) -> dict[str, str | None]:
    """What imports of the project's own modules bind; each package is looked for once."""
    held: dict[str, bool] = {}
    found: dict[str, str | None] = {}
    for bound, qualified in _aliases(home).items():
        root = qualified.partition(".")[0] if qualified is not None else None
        if root is not None and root not in held:
            held[root] = _is_own(project, root, home)
        if root is None or held[root]:
            found[bound] = qualified
    return found


def _mentioned(project: Project, link: Link) -> tuple[Link, ...] | None:
    """At least the bases and parts of a class; None where words do not tell."""
    home = link.home if isinstance(link, Sketch) else link.module
    try:
        bases = [base for _, base in project.links(link) if base is not None]
        names, text = _candidates(project, home), link.text  # it names whatever it is made of
        parts = [*_of_file(project, home, names, text), *_imported(project, home, names, text)]
    except (UnsureError, OSError):
        return None
    return tuple(dict.fromkeys([*bases, *parts]))


# What follows a name that is a base, or called or handed on; in a sentence, it is a word.
_AFTER = re.compile(r"\s*([(.\[\\#,)])")
# What stands before a name that is none of these though a comma or a bracket follows:
# `config: Config`, `-> Config`, `config_class=Config`, and the marks of a word in a docstring.
_BESIDE = re.compile(r"(?:[:=`]|->)[ \t]*\Z")
_NEAR = 20


def uses(text: str, name: str, *, attribute: bool = True) -> bool:
    """Whether a name may be a base in the text of a class, or called or handed on there.

    `attribute`: also as an attribute of something, `self.NAME`.
    """
    for at in places_of(text, name):
        end = at + len(name)
        before = text[at - 1 : at]
        longer = before == "_" or before.isalnum()  # the end of another name
        if not longer and (attribute or before != ".") and _is_used(text, at, end):
            return True
    return False


def _is_used(text: str, begin: int, end: int) -> bool:
    after = _AFTER.match(text, end)
    if after is None:
        return False
    return after.group(1) not in ",)" or not _BESIDE.search(text, max(0, begin - _NEAR), begin)


def _of_file(project: Project, home: Home, names: Candidates, text: str) -> Iterator[Link]:
    for name in [one for one in names.own if one in text and uses(text, one)]:
        if name not in names.own_parts:
            found = [_defined(project, home, symbol) for symbol in names.own[name]]
            parts = tuple(one for one in found if _may_be_network(project, one))
            names.own_parts[name] = parts
            if not parts:
                del names.own[name]
        yield from names.own_parts[name]


def _defined(project: Project, home: Home, symbol: str) -> Link:
    return home.sketch(symbol) if isinstance(home, Outline) else project.classes(home)[symbol]


def _imported(project: Project, home: Home, names: Candidates, text: str) -> Iterator[Link]:
    used = [one for one in names.aliases if one in text and uses(text, one, attribute=False)]
    for bound in used:
        qualified = names.aliases[bound]
        if qualified is None:
            raise UnsureError
        if f"{bound}." in text and _is_own(project, qualified, home):
            yield from _attributes(project, qualified, home, re.findall(rf"{bound}\.(\w*)", text))
        part = names.parts.get(bound) or _named(project, qualified, home)
        if part is not None and (bound in names.parts or _may_be_network(project, part)):
            names.parts[bound] = part
            yield part
        elif not _lies_in_package(project, qualified, home):
            del names.aliases[bound]


def _attributes(
    project: Project, module: str, home: Home, attributes: Iterable[str]
) -> Iterator[Link]:
    """The networks that attributes of a module may be; those of a package may be anything."""
    if project.resolve(module, home).is_package:
        raise UnsureError
    for name in dict.fromkeys(attributes):
        part = named(project, f"{module}.{name}", home)
        if part is not None and _may_be_network(project, part):
            yield part


def _named(project: Project, qualified: str, home: Home) -> Link | None:
    try:
        return named(project, qualified, home)
    except UnsureError:
        if _is_own(project, qualified, home):
            return None  # a module is no class
        raise


def _lies_in_package(project: Project, qualified: str, home: Home) -> bool:
    """Whether a name may mean a module, as no name in a plain module does."""
    return project.resolve(qualified.rpartition(".")[0], home).is_package


def _aliases(home: Home) -> Mapping[str, str | None]:
    return home.aliases if isinstance(home, Outline) else home.names.aliases


def _is_own(project: Project, dotted: str, home: Home) -> bool:
    """Whether a name means a module, or a package, of the project."""
    return project.resolve(dotted, home).origin is Origin.PROJECT


def _may_be_network(project: Project, one: Link) -> bool:
    """Whether a class may be a network, as all parts are."""
    told = project.lineage(one)
    return told is None or told.may_be_network(one)
