"""A text scanned as the only file of a project."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from gptdoctor.core.findings import Suspicion
from gptdoctor.scan import ModelNames, scan
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.specimen.discover import discover

NOWHERE = Path("/nowhere")


def scan_text(text: str, name: str = "model.py") -> list[tuple[str, int]]:
    """The rules that a scan of `text` reports, with their lines."""
    return [(one.rule, one.location.line) for one in scan_suspicions(text, name)]


def scan_files(texts: dict[str, str]) -> list[tuple[str, int]]:
    """The rules that a scan of a project of several files reports, with their lines."""
    return [(one.rule, one.location.line) for one in _scan(texts)]


def scan_suspicions(text: str, name: str = "model.py") -> list[Suspicion]:
    """All that a scan of `text` suspects."""
    return _scan({name: text})


def lines_of(rule: str, text: str) -> list[int]:
    """The lines on which a scan of `text` reports `rule`."""
    return [line for code, line in scan_text(text) if code == rule]


def _scan(texts: dict[str, str]) -> list[Suspicion]:
    """One text need not lie anywhere; several do, for what imports another looks for it."""
    if len(texts) == 1:
        project = Project(root=NOWHERE, search_paths=(NOWHERE / "installed",), overlay=texts)
        return _scanned(project, texts)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        for name, text in texts.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return _scanned(Project(root=root, search_paths=(root / "installed",)), texts)


def _scanned(project: Project, names: Iterable[str]) -> list[Suspicion]:
    modules = [project.read(project.root / name) for name in names]
    parsed = [module for module in modules if isinstance(module, SourceModule)]
    assert len(parsed) == len(modules), "a snippet does not parse"
    models: dict[str, tuple[str, ...]] = {}
    for target in discover(project, parsed):
        models[target.path] = (*models.get(target.path, ()), target.name)
    return list(scan(project, parsed, ModelNames(by_path=models)))
