"""The reference models in a project of their own, examined once for all tests of one process.

Modules of tests that ask for them are one group: pytest-xdist runs them in the same process.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.commands import ROOT, check_json

GROUP = "reference"
REFERENCE = ROOT / "reference_models"


@dataclass(frozen=True)
class Copy:
    """A copy of the reference models, and what was found of it before anything was mended."""

    project: Path
    cache: Path  # in which results are kept, as a user's are
    found: dict[str, Any]

    @property
    def models(self) -> Path:
        """The folder of the models."""
        return self.project / REFERENCE.name


@cache
def copied() -> Copy:
    """The one copy."""
    folder = Path(tempfile.mkdtemp(prefix="gptdoctor-reference-")).resolve()
    project, kept = folder / "project", folder / "kept"
    shutil.copytree(
        REFERENCE, project / REFERENCE.name, ignore=shutil.ignore_patterns("__pycache__")
    )
    (project / "pyproject.toml").write_text("")
    return Copy(project, kept, check_json(REFERENCE.name, cwd=project, cache=kept))
