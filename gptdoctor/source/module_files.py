"""The files of a module or a package, also of one that is no source."""

from __future__ import annotations

import re
from pathlib import Path

COMPILED = frozenset({".so", ".pyd", ".pyc", ".pyx", ".pyi"})
# A package that does one of these looks for its modules elsewhere.
FINDING_TEXT = re.compile(r"\b__path__\b|\bmeta_path\b|\bextend_path\b|\bpath_hooks\b")


def file_of(place: Path) -> Path | None:
    """The source of the module at a place without its suffix: a package, or a file."""
    for candidate in (place / "__init__.py", place.with_name(place.name + ".py")):
        if candidate.is_file():
            return candidate
    return None


def is_compiled(place: Path) -> bool:
    """Whether `place` is there as a compiled module, or as the source or the stub of one."""
    return any(file.suffix in COMPILED for file in place.parent.glob(f"{place.name}.*"))


def may_make(init: Path | None, name: str) -> bool:
    """Whether a package may hold a module `name` that is no file of it.

    A namespace and a compiled package may; another one speaks of the name somewhere in its
    `__init__.py`, or changes where its modules are looked for.
    """
    if init is None or init.name != "__init__.py" or is_compiled(init.parent / name):
        return True
    text = init.read_text(errors="replace")
    return bool(FINDING_TEXT.search(text) or re.search(rf"\b{re.escape(name)}\b", text))
