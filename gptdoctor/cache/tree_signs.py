"""Whether questions to a whole project would be answered as before, though files were edited."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gptdoctor.cache import fingerprint
from gptdoctor.cache.tree import TreeState
from gptdoctor.source.signs import signs_of

# path -> size, time of modification, time of change, and the signs of the file
Signs = dict[str, tuple[int, int, int, str]]


def signs_in(state: TreeState, known: Mapping[str, tuple[int, int, int, str]]) -> Signs:
    """The signs of the Python files of a project; those that are not as known are read."""
    found: Signs = {}
    for path, *times in state.stamps:
        if path.endswith(".py"):
            size, modified, changed = times
            old = known.get(path)
            same = old is not None and old[:3] == (size, modified, changed)
            signs = old[3] if old is not None and same else _read(path)
            found[path] = (size, modified, changed, signs)
    return found


def outline(state: TreeState, signs: Signs) -> str:
    """What stands for a project as such questions see it: what else is in it counts as it is."""
    seen = [
        (path, signs[path][3]) if path in signs else (path, *times) for path, *times in state.stamps
    ]
    return fingerprint.of_value(seen)


def _read(path: str) -> str:
    try:
        return signs_of(Path(path).read_bytes())
    except OSError:
        return fingerprint.ABSENT
