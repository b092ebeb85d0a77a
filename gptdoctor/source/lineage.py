"""The bases of a class, followed through files that need not be parsed for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.module import SourceModule
from gptdoctor.source.network_signs import is_layers, is_pythons
from gptdoctor.source.outlines import Outline, Sketch, UnsureError

Home = SourceModule | Outline
Link = ClassInfo | Sketch
# Bases further away than this are not followed: longer chains are loops made by mistake.
DEEPEST_BASE = 20


class Homes(Protocol):
    """Where the files of a project are asked for."""

    def home(self, dotted: str, importer: Home, name: str) -> Home | None:
        """The project's own module `dotted`, asked for a name: parsed already, or its outline."""

    def classes(self, module: SourceModule) -> dict[str, ClassInfo]:
        """The classes of a parsed module."""

    def links(self, link: Link) -> tuple[tuple[str, Link | None], ...]:
        """The direct bases of a class, as `links_of` gives them, found once."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Lineage:
    """All that a class descends from."""

    bases: tuple[Link, ...]  # those that the project defines, near before far
    external: tuple[str, ...]  # the names of those that it does not

    @cached_property
    def of_layers(self) -> bool:
        """Whether a base that the project does not define makes a module of layers."""
        return any(map(is_layers, self.external))

    @cached_property
    def of_strangers(self) -> bool:
        """Whether there is a base that neither the project nor Python itself defines."""
        return not all(map(is_pythons, self.external))

    def may_be_network(self, link: Link) -> bool:
        """Whether the class itself may be a module of layers, as far as its words tell."""
        # `acts_as_network` asks for a method of this name.
        return self.of_layers or (self.of_strangers and "forward" in link.text)


def lineage_of(homes: Homes, link: Link) -> Lineage | None:
    """What a class descends from; None where only a parse of other files tells."""
    chain: list[Link] = [link]
    external: list[str] = []
    try:
        for one in chain:  # it grows on the way
            near = len(chain) <= DEEPEST_BASE
            for name, base in homes.links(one):
                if base is None:
                    external.append(name)
                elif near and base not in chain:
                    chain.append(base)
    except UnsureError:
        return None
    return Lineage(bases=tuple(chain[1:]), external=tuple(external))


def links_of(homes: Homes, link: Link) -> tuple[tuple[str, Link | None], ...]:
    """The direct bases of a class: their qualified names, and the project's classes among them."""
    home = link.home if isinstance(link, Sketch) else link.module
    return tuple((name, named(homes, name, home)) for name in link.bases)


def named(homes: Homes, qualified: str, home: Home) -> Link | None:
    """The class of the project that a name means in a file: `Project.class_named`, unparsed."""
    root, dot, _ = qualified.partition(".")
    if isinstance(home, SourceModule):
        own = homes.classes(home)
        if qualified in own:
            return own[qualified]
        if dot and root not in home.names.roots and root not in own:
            return None
    elif root in home.classes:
        if dot:
            raise UnsureError
        return home.sketch(root)
    return _imported(homes, qualified, home)


def _imported(homes: Homes, qualified: str, home: Home) -> Link | None:
    for _ in range(DEEPEST_BASE):  # each turn follows one re-export
        origin, _, name = qualified.rpartition(".")
        other = homes.home(origin, home, name) if origin else None
        if other is None:
            return None
        if isinstance(other, Outline):
            if name in other.classes:
                return other.sketch(name)
            further = other.alias(name)
        else:
            own = homes.classes(other)
            if name in own:
                return own[name]
            further = other.names.aliases.get(name)
            if further in own:
                return own[further]
        if further is None:
            return None
        home, qualified = other, further
    return None
