"""From an examination to a file of tests that fail today."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from gptdoctor.core.diagnosis import Examination, ModelDiagnosis
from gptdoctor.core.errors import DoctorError, UsageError
from gptdoctor.core.findings import Finding
from gptdoctor.prove import harness
from gptdoctor.prove.tried import tried
from gptdoctor.prove.written import (
    HealthTest,
    confirmed,
    needs_model,
    test_file,
    tests_of,
)


@dataclass(frozen=True, kw_only=True)
class Proven:
    """The file, and what became of each finding."""

    text: str  # "" where no test fails
    tests: tuple[HealthTest, ...]  # those in the file
    failures: tuple[str, ...]  # how each of them fails today
    passing: tuple[Finding, ...]  # their test passes today, and is left out
    untold: tuple[Finding, ...]  # confirmed, and no test by itself can show them


def prove(
    examination: Examination, root: Path, file: Path, *, python: str, seconds: float
) -> Proven:
    """The tests of the one model that has confirmed findings; `file` is where they are to lie.

    Raises UsageError where there are several such models, or none could be run.
    """
    model = _the_model(examination.models, examination.findings)
    if model is None:
        return Proven(text="", tests=(), failures=(), passing=(), untold=())
    findings = confirmed(model, examination.findings)
    tests = tests_of(model, findings)
    home = _way(file.parent, root / harness.folder(model))
    trial = Trial(model=model, home=home, file=file, python=python, seconds=seconds)
    how = trial.failures(tests)
    failing = tuple(one for one in tests if how.get(one.name))
    known = {id(one.finding) for one in tests if one.name in how}
    return Proven(
        text=test_file(model, failing, home) if failing else "",
        tests=failing,
        failures=tuple(how[one.name] for one in failing),
        passing=tuple(one.finding for one in tests if how.get(one.name) == ""),
        untold=tuple(one for one in findings if id(one) not in known),
    )


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Where and by what the tests are tried."""

    model: ModelDiagnosis
    home: PurePosixPath
    file: Path
    python: str
    seconds: float

    def failures(self, tests: Sequence[HealthTest]) -> Mapping[str, str]:
        """How each test fails, "" where it passes; those that cannot be tried are left out.

        Where the model's own file cannot be imported, only what does not need it can.
        """
        if not tests:
            return {}
        try:
            return self._tried(tests)
        except DoctorError:
            alone = [one for one in tests if not needs_model(self.model, one.body)]
            if not alone or len(alone) == len(tests):
                raise
            return self._tried(alone)

    def _tried(self, tests: Sequence[HealthTest]) -> Mapping[str, str]:
        text = test_file(self.model, tests, self.home)
        names = [one.name for one in tests]
        told = tried(text, self.file, names, self.python, self.seconds)
        # What ends for another reason shows nothing of the defect.
        kinds = {one.name: {"AssertionError", one.raises} for one in tests}
        return {
            name: how
            for name, how in told.items()
            if not how or how.partition(":")[0] in kinds[name]
        }


def _the_model(
    models: Sequence[ModelDiagnosis], findings: Sequence[Finding]
) -> ModelDiagnosis | None:
    sick = [model for model in models if confirmed(model, findings)]
    if len(sick) > 1:
        names = ", ".join(f"{model.path}::{model.name}" for model in sick)
        raise UsageError(
            f"{len(sick)} models have confirmed findings, and a file of tests is about one",
            hint=f"name one of {names}",
        )
    return sick[0] if sick else None


def _way(start: Path, end: Path) -> PurePosixPath:
    """The way from one folder to another, in parts that any system understands."""
    relative = os.path.relpath(end, start)
    return PurePosixPath(*PurePath(relative).parts) if relative != "." else PurePosixPath()
