"""What a fix makes of a text: its codemod, run on the files as mended so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from gptdoctor.core.diagnosis import Examination, ModelDiagnosis
from gptdoctor.core.findings import Finding
from gptdoctor.core.repairs import Applicability, Patch
from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.parsed import ParsedSource
from gptdoctor.remedies.remedy import Request
from gptdoctor.repair.patch import Texts
from gptdoctor.repair.plan import PlannedFix, limited
from gptdoctor.repair.weave import woven
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project


class ProjectSource(Protocol):
    """Who knows the project as text."""

    @property
    def root(self) -> Path:
        """The project's root, absolute."""

    def project_with(self, overlay: Mapping[str, str]) -> Project:
        """The project as text, with texts that stand for files."""


@dataclass(frozen=True, kw_only=True)
class Mended:
    """A fix as far as its instance lets it go, and what it makes of its file."""

    planned: PlannedFix
    fix: PlannedFix
    alone: Patch  # of the file as it was examined
    patch: Patch  # the same fix, after those that are tried together with it


@dataclass(frozen=True, kw_only=True)
class Mending:
    """Runs codemods on the files as they were examined last."""

    source: ProjectSource
    texts: Texts
    examination: Examination

    def mend(self, fix: PlannedFix) -> Mended:
        """Run the codemod of a fix.

        Raises Declined where it is not sure, RepairError where the file cannot be read.
        """
        path = fix.finding.location.path
        text = self.texts.current(path)
        request = self._request(fix.finding, text, self.texts.overlay())
        new = _run(fix, request)
        if new == text:
            raise Declined("the codemod has nothing to change there")
        in_notebook = fix.finding.location.in_cell is not None
        limit = Applicability.DISPLAY if in_notebook else fix.remedy.limit(request)
        patch = Patch(path=path, before=text, after=new)
        return Mended(planned=fix, fix=limited(fix, limit), alone=patch, patch=patch)

    def changes_again(self, mended: Mended) -> bool:
        """Whether the codemod would change the text that it has made."""
        made = mended.alone
        try:
            request = self._request(mended.fix.finding, made.after, self.texts.overlay(made))
            return _run(mended.fix, request) != made.after
        except Declined:
            return False

    def _request(self, finding: Finding, text: str, overlay: Mapping[str, str]) -> Request:
        project = self.source.project_with(overlay)
        module = project.read(self.source.root / finding.location.path)
        if not isinstance(module, SourceModule):
            raise Declined(f"the file cannot be parsed: {module.message}")
        return Request(
            finding=finding,
            source=ParsedSource(text),
            module=module,
            project=project,
            model=self._model_of(finding),
        )

    def _model_of(self, finding: Finding) -> ModelDiagnosis | None:
        """The main model of a finding: by name, in the finding's own file where there are two."""
        found = [model for model in self.examination.models if model.name == finding.model]
        found.sort(key=lambda model: model.path != finding.location.path)
        return found[0] if found else None


def woven_together(all_mended: Iterable[Mended], most: int) -> list[Mended]:
    """At most so many fixes whose changes do not touch each other, the first one among them.

    Each with the patch that comes after those before it.
    """
    chosen: list[Mended] = []
    texts: dict[str, str] = {}
    for one in all_mended:
        path, base = one.alone.path, one.alone.before
        so_far = texts.get(path, base)
        new = woven(base, so_far, one.alone.after)
        if new is not None and new != so_far:  # it is not made by another one already
            chosen.append(replace(one, patch=Patch(path=path, before=so_far, after=new)))
            texts[path] = new
        if len(chosen) == most:
            break
    return chosen


def _run(fix: PlannedFix, request: Request) -> str:
    """The new text. A codemod that breaks on a user's code must not stop the others."""
    try:
        return fix.remedy.mend(request)
    except Declined:
        raise
    except Exception as error:
        told = f"the codemod failed on this code ({type(error).__name__}: {error})"
        raise Declined(told) from error
