"""Whether a module knows something by another name: then its lines may not say the name."""

from __future__ import annotations

from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule


def is_renamed(module: SourceModule, names: frozenset[str]) -> bool:
    """Whether a module knows one of these by another name: `cross_entropy as ce`."""
    return not names.isdisjoint(_renamed(module))


@kept(64)
def _renamed(module: SourceModule) -> frozenset[str]:
    """The last names of all that a module knows by another name: most modules have a handful."""
    last_names = (
        (bound, qualified.rpartition(".")[2]) for bound, qualified in module.names.aliases.items()
    )
    return frozenset(last for bound, last in last_names if bound != last)


def names_of_renamed(module: SourceModule, name: str) -> frozenset[str]:
    """The other names by which a module knows something: {"ce"} of `cross_entropy as ce`."""
    if name not in _renamed(module):
        return frozenset()
    return frozenset(
        bound
        for bound, qualified in module.names.aliases.items()
        if bound != name and qualified.endswith(f".{name}")
    )
