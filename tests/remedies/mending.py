"""Runs a remedy on a text, as if a finding pointed at one of its lines."""

from __future__ import annotations

import ast
import importlib
import io
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gptdoctor.core.diagnosis import ModelDiagnosis
from gptdoctor.core.findings import Evidence, Finding, Location, Severity, Status, Value
from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.parsed import ParsedSource
from gptdoctor.remedies.remedy import Remedy, Request
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

MARK = "# HERE"
PREFIX = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n\n"


def remedy(module: str) -> Remedy:
    """The remedy in `gptdoctor/remedies/<module>.py`."""
    found = importlib.import_module(f"gptdoctor.remedies.{module}").REMEDY
    assert isinstance(found, Remedy)
    return found


def dedented(text: str) -> str:
    """A text from a test, without the test's margin and its first line end."""
    return textwrap.dedent(text).removeprefix("\n")


def unmarked(text: str) -> tuple[str, int]:
    """The text without its mark, and the line that held it."""
    lines = io.StringIO(text, newline="").readlines()
    line = next(number for number, one in enumerate(lines, 1) if MARK in one)
    marked = lines[line - 1]
    end = marked[len(marked.rstrip("\r\n")) :]
    lines[line - 1] = marked.partition(MARK)[0].rstrip() + end
    return "".join(lines), line


def request(
    text: str,
    line: int,
    root: Path,
    *,
    file: str = "model.py",
    model: ModelDiagnosis | None = None,
    details: Mapping[str, Value] | None = None,
    values: Mapping[str, Value] | None = None,
    search_paths: tuple[Path, ...] = (),
) -> Request:
    """A request to mend what stands in a line of `text`, which need not be on disk."""
    normal = text.replace("\r\n", "\n")
    project = Project(root=root, overlay={file: normal}, search_paths=search_paths)
    module = project.read(root / file)
    assert isinstance(module, SourceModule), module
    whole = normal.split("\n")[line - 1]
    location = Location(
        path=file,
        line=line,
        column=len(whole) - len(whole.lstrip()) + 1,
        end_line=line,
        end_column=len(whole) + 1,
    )
    finding = Finding(
        rule="GD000",
        name="test",
        severity=Severity.HIGH,
        location=location,
        symbol=symbol_at(module.tree, line),
        message="",
        excerpt=whole.strip(),
        evidence=Evidence(status=Status.CONFIRMED, values=values or {}),
        model=None,
        details=details or {},
    )
    return Request(
        finding=finding,
        source=ParsedSource(text),
        module=module,
        project=project,
        model=model,
    )


def symbol_at(tree: ast.AST, line: int, prefix: str = "") -> str:
    """The qualified name of the innermost definition around a line."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            if first <= line <= (node.end_lineno or 0):
                name = f"{prefix}.{node.name}".lstrip(".")
                return symbol_at(node, line, name) or name
        else:
            inner = symbol_at(node, line, prefix)
            if inner:
                return inner
    return ""


def mended(module: str, marked: str, root: Path, **options: Any) -> str:
    """What a remedy makes of a text at its mark."""
    text, line = unmarked(marked)
    return remedy(module).mend(request(text, line, root, **options))


def declined(module: str, marked: str, root: Path, **options: Any) -> str:
    """Why a remedy declines to touch a text at its mark."""
    try:
        new = mended(module, marked, root, **options)
    except Declined as reason:
        return str(reason)
    raise AssertionError(f"it was mended:\n{new}")


def again(module: str, marked: str, new: str, root: Path, **options: Any) -> str:
    """What a second run makes of the mended text."""
    _, line = unmarked(marked)
    lines = new.count("\n") + 1
    try:
        return remedy(module).mend(request(new, min(line, lines - 1), root, **options))
    except Declined:
        return new


def run(text: str) -> dict[str, Any]:
    """The names that a text defines when it is run."""
    names: dict[str, Any] = {"__name__": "specimen"}
    exec(compile(text, "specimen", "exec"), names)
    return names
