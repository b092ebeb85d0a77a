"""What gptdoctor said of a case, kept for the other commands of this folder.

`run`, `proofs` and `peers` ask about the same files, and an examination costs seconds.  An answer
is found again by the case, every file of gptdoctor's own, and the version of torch: one letter
changed in the tool, and all is asked anew.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.mutations.cases import ROOT, Case
from benchmarks.mutations.packaged import scratch


def kept(case: Case) -> dict[str, Any] | None:
    """The document about a case, if this very tool was asked before."""
    file = _file(case)
    if not file.exists():
        return None
    document: dict[str, Any] = json.loads(file.read_text())
    return document


def keep(case: Case, document: dict[str, Any]) -> None:
    """Keeps a document, but not where something went wrong that may pass: it is asked for again."""
    if document["errors"] or any(one["verdict"] == "unexamined" for one in document["models"]):
        return
    file = _file(case)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document))


def _file(case: Case) -> Path:
    of_case = hashlib.sha256(f"{case.name}\n{case.host.model}\n{case.source}".encode())
    return scratch() / "documents" / _tool() / f"{of_case.hexdigest()}.json"


@cache
def _tool() -> str:
    """A hash of all files of gptdoctor and of what it runs on."""
    told = hashlib.sha256(version("torch").encode())
    for file in sorted((ROOT / "gptdoctor").rglob("*.py")):
        told.update(str(file.relative_to(ROOT)).encode())
        told.update(file.read_bytes())
    return told.hexdigest()[:16]
