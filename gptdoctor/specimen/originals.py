"""The user's modules as they were before any number in them was made small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from gptdoctor.specimen.reads import project_modules


@dataclass(frozen=True)
class Originals:
    """What each name at the top of the user's modules was bound to.

    The objects themselves are shared: a builder binds names anew, and changes no object.
    """

    names: tuple[tuple[ModuleType, Mapping[str, Any]], ...]

    @classmethod
    def of(cls, module: ModuleType, root: str) -> Originals:
        """Those of `module` and of all loaded modules of the project."""
        modules = {id(each): each for each in (module, *project_modules(root))}
        return cls(tuple((each, dict(vars(each))) for each in modules.values()))

    @contextmanager
    def restored(self) -> Iterator[None]:
        """The modules as they were, until the end; then as they were found."""
        found = [(module, dict(vars(module))) for module, _ in self.names]
        for module, names in self.names:
            vars(module).update(names)
        try:
            yield
        finally:
            for module, names in found:
                vars(module).update(names)
