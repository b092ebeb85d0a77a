"""Sources of hosts that are single files of registry packages, read when the benchmark runs."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path


def scratch() -> Path:
    """Where downloads, mutants and proofs are kept: $MUTATIONS_SCRATCH, or a temporary folder."""
    default = Path(tempfile.gettempdir()) / "gptdoctor-mutations"
    folder = Path(os.environ.get("MUTATIONS_SCRATCH", default))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def installed(package: str, path: str) -> Callable[[], str]:
    """Reads a file of an installed package; its relative imports become absolute ones."""

    def source() -> str:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise LookupError(f"{package} is not installed")
        file = Path(spec.origin).parent / path
        return _absolute(file.read_text(), [package, *Path(path).parts[:-1]])

    return source


def wheel(requirement: str, path: str) -> Callable[[], str]:
    """Reads a file of a pinned wheel, which is downloaded once and not installed."""

    def source() -> str:
        folder = scratch() / "wheels" / requirement
        if not list(folder.glob("*.whl")):
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            done = subprocess.run([*command, "--dest", str(folder), requirement], check=False)
            if done.returncode != 0:
                raise LookupError(f"{requirement} cannot be downloaded")
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as opened:
            return opened.read(path).decode()

    return source


def _absolute(text: str, package: list[str]) -> str:
    def replaced(match: re.Match[str]) -> str:
        up = len(match[1]) - 1
        base = package[: len(package) - up]
        return f"from {'.'.join([*base, match[2]] if match[2] else base)} import"

    return re.sub(r"^from (\.+)([\w.]*) import", replaced, text, flags=re.MULTILINE)
