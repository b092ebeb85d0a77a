"""Whether a module knows something by another name: then its lines may not say the name."""

from __future__ import annotations

from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule


@kept(64)
def is_renamed(module: SourceModule, names: frozenset[str]) -> bool:
    """Whether a module knows one of these by another name: `cross_entropy as ce`."""
    return any(
        bound != last and last in names
        for bound, qualified in module.names.aliases.items()
        for last in (qualified.rpartition(".")[2],)
    )
