"""Preloaded modules that have to go before the user's own are imported."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from gptdoctor.core.specimens import ExamineRequest


def make_way(request: ExamineRequest, loaded: Collection[str]) -> None:
    """Forget those of the preloaded modules that would not be found, or not be run, in a plain
    process: the file that is examined, and packages for whose name the user has a module.
    """
    if not loaded:
        return
    root = Path(request.root)
    file = root / request.target.path
    folders = [root, root / "src", *(one for one in file.parents if one.is_relative_to(root))]
    hidden = {
        top for top in {name.partition(".")[0] for name in loaded} if _is_hidden(top, folders)
    }
    for name in loaded:
        module = sys.modules.get(name)
        own = getattr(module, "__dict__", {}).get("__file__") == str(file)
        if own or name.partition(".")[0] in hidden:
            sys.modules.pop(name, None)


def _is_hidden(top: str, folders: Collection[Path]) -> bool:
    """Whether one of the user's folders holds another module of this name."""
    known = getattr(sys.modules.get(top), "__dict__", {})
    return any(
        place.is_file() and str(place) != known.get("__file__")
        for folder in folders
        for place in _places(folder, top)
    )


def _places(folder: Path, top: str) -> Iterator[Path]:
    yield folder / f"{top}.py"
    yield folder / top / "__init__.py"
