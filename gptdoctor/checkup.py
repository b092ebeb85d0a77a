"""The one pipeline: scan and worker, judge, diagnose. Every command and repair go through it."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from gptdoctor.config import Options
from gptdoctor.core import events
from gptdoctor.core.diagnosis import (
    Environment,
    Examination,
    ModelDiagnosis,
    SkippedFile,
    SourceError,
)
from gptdoctor.core.errors import UsageError
from gptdoctor.core.findings import Finding, Suspicion, Value
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.specimens import ExamineRequest, ModelTarget
from gptdoctor.diagnose.cells import told_by_cell
from gptdoctor.diagnose.facts import facts_of, measured_probes, specimen_of, unmeasured_probes
from gptdoctor.diagnose.join import Judged, join
from gptdoctor.diagnose.notes import notes_of, set_aside_declared
from gptdoctor.diagnose.verdict import verdict_of
from gptdoctor.judge import judge
from gptdoctor.scan import ModelNames, scan
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.source.targets import Targets, find_targets
from gptdoctor.specimen.discover import discover, entry_of, target_of
from gptdoctor.worker.interpreter import choose_python, search_paths

if TYPE_CHECKING:
    from gptdoctor.worker.session import Session


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What the text gives before anything is scanned or run."""

    project: Project
    modules: tuple[SourceModule, ...]  # to scan: what was named, and what its models are made of
    models: tuple[ModelTarget, ...]
    errors: tuple[SourceError, ...]
    skipped: tuple[SkippedFile, ...]


class Checkup:
    """Examines one set of targets, as they are on disk or with patched text in their place.

    A context manager: the worker starts on entry, so that its import of torch overlaps with the
    reading of the text, and ends on exit.
    """

    def __init__(
        self, options: Options, here: Path, listener: events.Listener = events.ignore
    ) -> None:
        """Resolve the targets; raises UsageError for one that does not exist."""
        self.options = options
        self.targets: Targets = find_targets(options.targets, here)
        self.root: Path = self.targets.root
        self._listener = listener
        named = None if options.python is None else str(options.python)
        self._python = choose_python(named, str(self.root))
        self._session: Session | None = None
        self._search_paths: tuple[Path, ...] | None = None
        # How each model was built the first time: a repaired one is compared with the same.
        self._recipes: dict[tuple[str, str], str] = {}

    def __enter__(self) -> Checkup:
        """Start the worker, unless nothing is to be run."""
        if not self.options.static:
            # A static scan has no worker, and should not pay for loading its half of the code.
            from gptdoctor.worker.session import Session

            self._session = Session(self._python, str(self.root))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the worker and all that it started."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def project_with(self, overlay: Mapping[str, str]) -> Project:
        """The project as text, with `overlay` (path relative to the root -> text) on top."""
        if self._search_paths is None:
            self._search_paths = tuple(Path(path) for path in search_paths(self._python))
        return Project(root=self.root, search_paths=self._search_paths, overlay=overlay)

    def examine(
        self, overlay: Mapping[str, str] | None = None, *, paths: frozenset[str] | None = None
    ) -> Examination:
        """Run the whole line once.

        `paths` limits it to the models that are made of one of these files.
        """
        started = time.monotonic()
        overlay = overlay or {}
        prepared = self._prepare(self.project_with(overlay), paths)
        jobs = self._start_jobs(prepared.models, overlay)
        suspicions = self._scan(prepared)
        records = list(jobs)
        findings, models = self._weigh(prepared, suspicions, records)
        found = Examination(
            environment=self._environment(records),
            models=models,
            findings=tuple(findings),
            errors=prepared.errors,
            skipped=prepared.skipped,
            files=len(self.targets.files),
            seconds=time.monotonic() - started,
        )
        return told_by_cell(found, prepared.modules)

    def _prepare(self, project: Project, paths: frozenset[str] | None) -> Prepared:
        read = [project.read(file) for file in self.targets.files]
        modules = [one for one in read if isinstance(one, SourceModule)]
        models = [
            model
            for model in self._models(project, modules)
            if paths is None or paths & _files_of(model)
        ]
        wanted = {path for model in models for path in _files_of(model)} | (paths or set())
        if paths is None:
            wanted |= {module.path for module in modules}
        return Prepared(
            project=project,
            modules=tuple(_read_all(project, wanted)),
            models=tuple(models),
            errors=tuple(_errors(read)),
            skipped=tuple(self._skipped(modules, models)),
        )

    def _models(self, project: Project, modules: list[SourceModule]) -> Iterator[ModelTarget]:
        """The models to run: those the user named by class, and in other files the main ones."""
        asked = {file for file, _ in self.targets.classes}
        for file, name in sorted(self.targets.classes):
            yield _named_class(project, file, name)
        yield from discover(project, [one for one in modules if one.file not in asked])

    def _skipped(
        self, modules: Iterable[SourceModule], models: Sequence[ModelTarget]
    ) -> Iterator[SkippedFile]:
        holding = {path for model in models for path in _files_of(model)}
        for module in modules:
            if not module.text.strip():
                if module.file in self.targets.named or module.file.name != "__init__.py":
                    yield SkippedFile(path=module.path, reason=_why_empty(module))
            elif module.file in self.targets.named and module.path not in holding:
                yield SkippedFile(path=module.path, reason="no model found")

    def _start_jobs(
        self, models: Sequence[ModelTarget], overlay: Mapping[str, str]
    ) -> Iterable[ModelRecord]:
        if self._session is None or not models:
            return ()
        requests = [
            ExamineRequest(
                target=model,
                root=str(self.root),
                seed=self.options.seed,
                timeout_seconds=self.options.timeout_seconds,
                build=self._recipes.get((model.path, model.name)),
                overlay=overlay,
                devices=self.options.devices,
            )
            for model in models
        ]
        return self._session.examine(requests, self._listener)

    def _scan(self, prepared: Prepared) -> list[Suspicion]:
        self._listener(events.ScanStarted(len(prepared.modules)))
        names: dict[str, tuple[str, ...]] = {}
        for model in prepared.models:
            names[model.path] = (*names.get(model.path, ()), model.name)
        found = scan(prepared.project, prepared.modules, ModelNames(by_path=names))
        suspicions = list(found)
        self._listener(events.ScanFinished(len(suspicions)))
        return suspicions

    def _weigh(
        self, prepared: Prepared, suspicions: list[Suspicion], records: list[ModelRecord]
    ) -> tuple[list[Finding], tuple[ModelDiagnosis, ...]]:
        project = prepared.project
        judged = [
            Judged(record=record, convictions=set_aside_declared(project, tuple(judge(record))))
            for record in records
        ]
        findings = join(project, suspicions, judged, live=not self.options.static)
        if not records:
            return findings, tuple(_not_run(model) for model in prepared.models)
        for record in records:
            self._remember_recipe(record)
        return findings, tuple(_diagnose(project, record, findings) for record in records)

    def _remember_recipe(self, record: ModelRecord) -> None:
        for measured in record.measured:
            construction = measured.measurement
            if isinstance(construction, Construction) and construction.outcome == "built":
                key = (record.target.path, record.target.name)
                self._recipes.setdefault(key, construction.build)

    def _environment(self, records: Sequence[ModelRecord]) -> Environment:
        ran = records[0] if records else None
        return Environment(
            python=ran.python if ran else platform.python_version(),
            executable=str(self.options.python or ""),
            torch=ran.torch if ran else None,
            platform=platform.platform(terse=True),
            seed=self.options.seed,
            live=not self.options.static,
            trouble=_trouble(records),
        )


def _module_fact(project: Project, target: ModelTarget) -> dict[str, Value]:
    """The name that the model's file is imported by, for code that a user can paste."""
    module = project.read(project.root / target.path)
    return {"module": module.dotted} if isinstance(module, SourceModule) else {}


def _errors(read: Iterable[SourceModule | SourceError]) -> Iterator[SourceError]:
    """The files that could not be read, and the broken cells of notebooks."""
    for one in read:
        yield from (one,) if isinstance(one, SourceError) else one.errors


def _why_empty(module: SourceModule) -> str:
    language = "python" if module.notebook is None else module.notebook.language
    return "empty" if language == "python" else f"a notebook in {language}"


def _trouble(records: Sequence[ModelRecord]) -> str:
    """Why none of the models could be started, "" where one was."""
    if records and all(record.ending.kind == "not-started" for record in records):
        return records[0].ending.detail
    return ""


def _named_class(project: Project, file: Path, name: str) -> ModelTarget:
    module = project.read(file)
    if isinstance(module, SourceError):
        raise UsageError(f"{module.path}:{module.line} cannot be read: {module.message}")
    info = project.classes(module).get(name)
    if info is None:
        known = ", ".join(project.classes(module)) or "none"
        raise UsageError(f"there is no class {name!r} in {module.path}", hint=f"it has {known}")
    return target_of(project, info, entry_of(project, info) or "forward")


def _files_of(model: ModelTarget) -> frozenset[str]:
    """The files that the classes of a model are written in."""
    return frozenset({model.path, *(part.partition("::")[0] for part in model.family)})


def _read_all(project: Project, paths: Iterable[str]) -> Iterator[SourceModule]:
    for path in sorted(paths):
        module = project.read(project.root / path)
        if isinstance(module, SourceModule):
            yield module


def _not_run(model: ModelTarget) -> ModelDiagnosis:
    return ModelDiagnosis(
        name=model.name, path=model.path, line=model.line, verdict=None, reasons=()
    )


def _diagnose(project: Project, record: ModelRecord, findings: Sequence[Finding]) -> ModelDiagnosis:
    verdict, reasons = verdict_of(record, findings)
    return ModelDiagnosis(
        name=record.target.name,
        path=record.target.path,
        line=record.target.line,
        verdict=verdict,
        reasons=tuple(reason.text for reason in reasons),
        reason_rules=tuple(reason.rule for reason in reasons),
        specimen=specimen_of(record),
        facts=facts_of(record) | _module_fact(project, record.target),
        measured=measured_probes(record),
        unmeasured=unmeasured_probes(record),
        notes=notes_of(project, record),
    )
