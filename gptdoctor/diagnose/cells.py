"""What is said of notebooks, in the words of their readers: by cell, and by the line in it.

All that comes before counts the lines of a notebook's code cells as if they were one file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from gptdoctor.core.cells import place_words
from gptdoctor.core.diagnosis import Examination, ModelDiagnosis, UnmeasuredProbe
from gptdoctor.core.findings import Evidence, Finding
from gptdoctor.core.repairs import Applicability
from gptdoctor.source.module import SourceModule


def told_by_cell(examination: Examination, modules: Iterable[SourceModule]) -> Examination:
    """The examination with the cell of each place in those of the modules that are notebooks."""
    notebooks = {module.path: module for module in modules if module.notebook is not None}
    if not notebooks:
        return examination
    words = _Words(notebooks)
    return replace(
        examination,
        models=tuple(words.model(model) for model in examination.models),
        findings=tuple(words.finding(finding) for finding in examination.findings),
    )


def told_of(findings: Iterable[Finding], module: SourceModule) -> Iterator[Finding]:
    """The findings of one module, with the cell of each where it is a notebook."""
    words = _Words({module.path: module}) if module.notebook is not None else None
    yield from findings if words is None else map(words.finding, findings)


class _Words:
    """Exchanges "study.ipynb:12" for "study.ipynb:cell 3:5"."""

    def __init__(self, notebooks: dict[str, SourceModule]) -> None:
        self._notebooks = notebooks
        paths = "|".join(re.escape(path) for path in notebooks)
        self._place = re.compile(rf"(?<![\w./-])({paths}):(\d+)\b")

    def model(self, model: ModelDiagnosis) -> ModelDiagnosis:
        """A model, and all that is told of it."""
        home = self._notebooks.get(model.path)
        return replace(
            model,
            in_cell=None if home is None else home.in_cell(model.line),
            reasons=tuple(map(self._text, model.reasons)),
            notes=tuple(map(self._text, model.notes)),
            unmeasured=tuple(
                UnmeasuredProbe(probe=one.probe, reason=self._text(one.reason))
                for one in model.unmeasured
            ),
        )

    def finding(self, finding: Finding) -> Finding:
        """A finding; where it is in a notebook its fix is shown and never written.

        What a notebook holds beside its code, its outputs and metadata, is not ours to rewrite.
        """
        found = replace(
            finding,
            message=self._text(finding.message),
            evidence=self._evidence(finding.evidence),
            models=tuple(
                replace(one, evidence=self._evidence(one.evidence)) for one in finding.models
            ),
        )
        home = self._notebooks.get(finding.location.path)
        if home is None:
            return found
        fix = finding.fix and replace(finding.fix, applicability=Applicability.DISPLAY)
        in_cell = home.in_cell(finding.location.line)
        return replace(found, location=replace(finding.location, in_cell=in_cell), fix=fix)

    def _evidence(self, evidence: Evidence) -> Evidence:
        if evidence.reason is None:
            return evidence
        return replace(evidence, reason=self._text(evidence.reason))

    def _text(self, text: str) -> str:
        return self._place.sub(self._words, text)

    def _words(self, found: re.Match[str]) -> str:
        path, line = found.group(1), int(found.group(2))
        return place_words(path, line, self._notebooks[path].in_cell(line))
