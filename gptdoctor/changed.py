"""What a branch brought in: findings that the text where it began does not show.

The old text is scanned in place of the new one, and nothing of it is run.  So a finding that the
text shows is old if the old text shows it, wherever it has moved; one that a run alone shows is
old if none of its lines was changed.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from gptdoctor.core.diagnosis import Examination
from gptdoctor.core.findings import Finding
from gptdoctor.core.suppressions import SuppressedBy, Suppression
from gptdoctor.diagnose.fingerprints import fingerprints
from gptdoctor.diagnose.join import join
from gptdoctor.diagnose.set_aside import Judge
from gptdoctor.scan_file import scan_text
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.source.revisions import Before

OLD = Suppression(by=SuppressedBy.BASE)


class BranchChanges:
    """Tells what is new of findings; the old text is read as far as it is asked for."""

    def __init__(
        self, before: Before, project_with: Callable[[Mapping[str, str]], Project]
    ) -> None:
        self._before = before
        self._old = project_with(before.texts)
        self._read: set[str] = set()
        self._known: set[str] = set()

    def judge(self, examination: Examination, project: Project) -> Judge:
        """Sets aside what was there before; `project` is the text that was examined."""
        by_text = [one for one in (*examination.findings, *examination.suppressed) if _of_text(one)]
        self._scan({one.location.path for one in by_text})
        prints = dict(zip(map(id, by_text), fingerprints(by_text), strict=True))

        def judge(finding: Finding) -> Suppression | None:
            if not self._before.had(finding.location.path):
                return None
            if _of_text(finding):
                return OLD if prints[id(finding)] in self._known else None
            return None if self._is_changed(finding, project) else OLD

        return judge

    def _scan(self, paths: Iterable[str]) -> None:
        """Learn what the old text shows in these files."""
        new = {path for path in paths if self._before.had(path)} - self._read
        self._read |= new
        if not new:
            return
        modules = [_module(self._old, self._old.root / path) for path in sorted(new)]
        suspicions = [
            one
            for module in modules
            if module is not None
            for one in scan_text(self._old, module).suspicions
        ]
        self._known.update(fingerprints(join(self._old, suspicions, [], live=False)))

    def _is_changed(self, finding: Finding, project: Project) -> bool:
        """Whether one of the lines that a finding is about is not as it was."""
        path = finding.location.path
        new, old = (_module(one, one.root / path) for one in (project, self._old))
        if new is None or old is None:
            return True
        first, last = _lines_of(finding, new)
        return any(first <= line <= last for line in _changed_lines(old.lines, new.lines))


def _of_text(finding: Finding) -> bool:
    """Whether the text alone shows a finding; comments are judged by their lines."""
    return finding.seen_by == "text" and not finding.rule.startswith("GD0")


def _module(project: Project, file: Path) -> SourceModule | None:
    read = project.read(file)
    return read if isinstance(read, SourceModule) else None


def _lines_of(finding: Finding, module: SourceModule) -> tuple[int, int]:
    """The lines of a finding; one that is somewhere in a function is about all of it."""
    where = finding.location
    if finding.seen_by == "symbol":
        for node in ast.walk(module.tree):
            named = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            if isinstance(node, named) and node.lineno == where.line:
                return node.lineno, node.end_lineno or node.lineno
    return where.line, where.end_line


def _changed_lines(old: list[str], new: list[str]) -> set[int]:
    """The lines of the new text that the old one has not, and those around what was taken out."""
    found: set[int] = set()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, _, _, first, last in matcher.get_opcodes():
        if kind == "delete":
            found |= {first, first + 1}
        elif kind != "equal":
            found.update(range(first + 1, last + 1))
    return found
