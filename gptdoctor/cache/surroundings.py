"""What results rest on beside the project's own files: us, the interpreter, what is installed."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gptdoctor.cache import fingerprint

_OURS = Path(__file__).resolve().parents[1]
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_METADATA = (".dist-info", ".egg-info", ".egg-link", ".pth")
# Variables that change how Python, torch and the libraries beside it work.
_VARIABLES = ("PYTHON", "TORCH", "PYTORCH", "CUDA", "HIP", "ROCR", "HF_", "TRANSFORMERS", "MKL_")
# Those that only say where bytecode goes and how output is buffered.
_WITHOUT_EFFECT = frozenset(
    {"PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONUNBUFFERED", "PYTHONIOENCODING"}
)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """One interpreter on this machine, with what is installed for it, and this gptdoctor."""

    fingerprint: str
    # Folders of the search path that hold sources at work: PYTHONPATH, packages installed in
    # place. Their files can change at any time, as the project's own.
    folders: tuple[Path, ...]


def surroundings(python: str, search_paths: tuple[Path, ...]) -> Surroundings:
    """The surroundings in which `python` runs models; no program is started."""
    installed = [folder for folder in search_paths if folder.name in _INSTALLED]
    standard = [folder for folder in search_paths if _is_standard(folder)]
    value = {
        "ours": fingerprint.of_stamps(_sources()),
        "python": [python, fingerprint.of_stamps([os.path.realpath(python)]), sys.version],
        "paths": [str(folder) for folder in search_paths],
        # A package that is installed again under its old version has a new time of change, and
        # so has a folder into which a module is put by hand.
        "installed": fingerprint.of_stamps(
            [*map(str, installed), *(path for one in search_paths for path in _metadata(one))]
        ),
        "platform": [platform.platform(terse=True), platform.machine()],
        "variables": {
            name: text
            for name, text in os.environ.items()
            if name.startswith(_VARIABLES) and name not in _WITHOUT_EFFECT
        },
    }
    return Surroundings(
        fingerprint=fingerprint.of_value(value),
        folders=tuple(one for one in search_paths if one not in installed and one not in standard),
    )


def _is_standard(folder: Path) -> bool:
    """Whether a folder, or archive, of the search path holds the standard library."""
    return folder.suffix == ".zip" or folder.name == "lib-dynload" or (folder / "os.py").is_file()


def _sources() -> Iterator[str]:
    for folder, folders, names in os.walk(_OURS):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (os.path.join(folder, name) for name in names if name.endswith(".py"))  # noqa: PTH118


def _metadata(folder: Path) -> list[str]:
    try:
        return [entry.path for entry in os.scandir(folder) if entry.name.endswith(_METADATA)]
    except OSError:
        return []
