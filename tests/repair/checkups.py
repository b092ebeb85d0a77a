"""A checkup that finds words in texts, in place of the one that runs models.

Each of `WORDS` in a file is a finding of its rule. A model is measured unless its file holds the
word that crashes it; a finding is confirmed where its model was measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gptdoctor.core.diagnosis import (
    Environment,
    Examination,
    ModelDiagnosis,
    SourceError,
    UnmeasuredProbe,
    Verdict,
)
from gptdoctor.core.findings import Evidence, Finding, Location, ModelEvidence, Severity, Status
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

PROBE = "gradient-flow"
WORDS = {"SICK_IMPORT": "GD501", "SICK_GATE": "GD301", "SICK_GRAD": "GD101", "SICK_LOSS": "GD601"}
ENVIRONMENT = Environment(
    python="3.11", executable="", torch="2", platform="here", seed=0, live=True
)


@dataclass
class FakeCheckup:
    """Examines the files of a folder by their words."""

    root: Path
    live: bool = True
    runs: list[tuple[dict[str, str], frozenset[str] | None]] = field(default_factory=list)

    def project_with(self, overlay: Mapping[str, str]) -> Project:
        """The project as text."""
        return Project(root=self.root, overlay=overlay)

    def examine(
        self, overlay: Mapping[str, str] | None = None, *, paths: frozenset[str] | None = None
    ) -> Examination:
        """Look for words."""
        self.runs.append((dict(overlay or {}), paths))
        project = self.project_with(overlay or {})
        files = sorted(self.root.rglob("*.py"))
        names = [file.relative_to(self.root).as_posix() for file in files]
        read = [project.read(self.root / one) for one in names if paths is None or one in paths]
        modules = [one for one in read if isinstance(one, SourceModule)]
        findings = tuple(finding for one in modules for finding in self._findings(one))
        return Examination(
            environment=ENVIRONMENT,
            models=tuple(self._model(one, findings) for one in modules),
            findings=findings,
            errors=tuple(one for one in read if isinstance(one, SourceError)),
            skipped=(),
            files=len(read),
            seconds=0.1,
        )

    def _measured(self, module: SourceModule) -> bool:
        return self.live and "SICK_IMPORT" not in module.text

    def _model(self, module: SourceModule, findings: tuple[Finding, ...]) -> ModelDiagnosis:
        own = [one for one in findings if one.location.path == module.path]
        confirmed = [one for one in own if one.evidence.status is Status.CONFIRMED]
        measured = ("import-dependencies",)
        unmeasured = (UnmeasuredProbe(probe=PROBE, reason="the import failed"),)
        verdict: Verdict | None = Verdict.DEGRADED if confirmed else Verdict.TRAINABLE
        if "SICK_IMPORT" in module.text or "CRASH" in module.text:
            verdict = Verdict.UNTRAINABLE
        if self._measured(module):
            measured, unmeasured = ("import-dependencies", PROBE), ()
        if "UNMEASURABLE" in module.text:
            measured = ("import-dependencies",)
        return ModelDiagnosis(
            name=module.file.stem.title(),
            path=module.path,
            line=1,
            verdict=verdict if self.live else None,
            reasons=(),
            measured=measured if self.live else (),
            unmeasured=unmeasured,
        )

    def _findings(self, module: SourceModule) -> Iterator[Finding]:
        for number, line in enumerate(module.text.split("\n"), 1):
            for word, rule in WORDS.items():
                if word in line:
                    yield self._finding(module, number, line, rule)

    def _finding(self, module: SourceModule, number: int, line: str, rule: str) -> Finding:
        seen = self.live and (rule == "GD501" or self._measured(module))
        probe = "import-dependencies" if rule == "GD501" else PROBE
        status = Status.CONFIRMED if seen else Status.SUSPECTED
        if "REFUTED" in line:
            status = Status.REFUTED
        evidence = Evidence(
            status=status,
            probe=probe if status is not Status.SUSPECTED else None,
            reason=None if seen else "nothing was run",
        )
        return Finding(
            rule=rule,
            name=rule.lower(),
            severity=Severity.HIGH,
            location=Location(
                path=module.path, line=number, column=1, end_line=number, end_column=len(line) + 1
            ),
            symbol="",
            message="",
            excerpt=line.strip(),
            evidence=evidence,
            model=module.file.stem.title(),
            models=(
                ModelEvidence(name=module.file.stem.title(), path=module.path, evidence=evidence),
            ),
        )
