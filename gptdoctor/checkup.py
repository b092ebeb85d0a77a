"""The one pipeline: scan and worker, judge, diagnose. Every command and repair go through it."""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from gptdoctor.config import Options
from gptdoctor.core import events
from gptdoctor.core.diagnosis import Environment, Examination, ModelDiagnosis
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.repairs import NOT_IN_PROOFS
from gptdoctor.core.specimens import ExamineRequest, ModelTarget
from gptdoctor.running import Running
from gptdoctor.settling import Settling
from gptdoctor.source.targets import Targets, find_targets, target_of_text
from gptdoctor.worker.interpreter import choose_python, search_paths

if TYPE_CHECKING:
    from gptdoctor.cache.results import ResultCache
    from gptdoctor.cache.scans import ScanCache
    from gptdoctor.core.diagnosis import SourceError
    from gptdoctor.core.findings import Suspicion
    from gptdoctor.prepare import Prepared
    from gptdoctor.source.project import Project


class Checkup:
    """Examines one set of targets, as they are on disk or with patched text in their place.

    A context manager: the worker, which starts as soon as it is known that a model has to be run,
    ends on exit.
    """

    def __init__(
        self, options: Options, here: Path, listener: events.Listener = events.ignore
    ) -> None:
        """Resolve the targets; raises UsageError for one that does not exist."""
        self.options = options
        given = options.text
        self.targets: Targets = (
            find_targets(options.targets, here, options.files)
            if given is None
            else target_of_text(given.file, options.files)
        )
        self.root: Path = self.targets.root
        self._here = here
        self._listener = listener
        named = None if options.python is None else str(options.python)
        self._python = choose_python(named, str(self.root))
        self._cache: ResultCache | None = None
        self._running: Running | None = None
        # How each model was built the first time: a repaired one is compared with the same.
        self._recipes: dict[tuple[str, str], str] = {}

    def __enter__(self) -> Checkup:
        """Make ready to run models, unless nothing is to be run."""
        if not self.options.static:
            self._cache = self._open_cache() if self.options.cache else None
            records = None if self._cache is None else self._cache.records
            self._running = Running(
                self._python,
                self.root,
                records,
                self._listener,
                jobs=self.options.jobs,
                devices=self.options.devices,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the worker and all that it started."""
        if self._running is not None:
            self._running.close()
            self._running = None
        if self._cache is not None:
            self._cache.close()
            self._cache = None

    def project_with(self, overlay: Mapping[str, str]) -> Project:
        """The project as text, with `overlay` (path relative to the root -> text) on top."""
        return self._project({**self.given, **overlay})

    def _project(self, overlay: Mapping[str, str]) -> Project:
        from gptdoctor.source.project import Project

        return Project(root=self.root, search_paths=self._search_paths, overlay=overlay)

    @cached_property
    def given(self) -> Mapping[str, str]:
        """The text that stands for a file from the beginning, by the file's path."""
        given = self.options.text
        if given is None:
            return {}
        return {given.file.relative_to(self.root).as_posix(): given.text}

    def examine(
        self, overlay: Mapping[str, str] | None = None, *, paths: frozenset[str] | None = None
    ) -> Examination:
        """Run the whole line once, or answer from the cache where nothing has changed.

        `paths` limits it to the models that are made of one of these files, as a repair that is
        being proven does, and to the probes that a proof needs.
        """
        started = time.monotonic()
        overlay = {**self.given, **(overlay or {})}
        whole = not overlay and paths is None
        if whole and self.options.static and not self.targets.classes:
            examination: Examination | None = self._read_all()
        else:
            examination = self._cache.answer() if self._cache is not None and whole else None
        if examination is None:
            examination = self._examine(overlay, paths, self._cache if whole else None)
        self._remember_recipes(examination.models)
        found = examination
        if not self.options.show_output:
            models = tuple(dataclasses.replace(model, output="") for model in found.models)
            found = dataclasses.replace(found, models=models)
        everything = paths is None and overlay == self.given
        found = self.settling.settled(found, overlay, whole=everything)
        return dataclasses.replace(found, seconds=time.monotonic() - started)

    def _examine(
        self, overlay: Mapping[str, str], paths: frozenset[str] | None, cache: ResultCache | None
    ) -> Examination:
        if self._running is not None and (cache is None or cache.leaves_work()):
            self._running.start()  # it imports torch while the text is read
        # Loaded only now: an answer from the cache needs none of it.
        from gptdoctor.diagnose.cells import told_by_cell
        from gptdoctor.prepare import comments, prepare
        from gptdoctor.weigh import weigh

        prepared = prepare(self.project_with(overlay), self.targets, paths, self.options)
        requests = self._requests(prepared.models, overlay, () if paths is None else NOT_IN_PROOFS)
        jobs: Iterable[ModelRecord] = ()
        if self._running is not None:
            jobs = self._running.examine(requests)
        suspicions, failed = self._scan(prepared)
        try:
            records = list(jobs)
        except BaseException as end:
            if cache is not None:
                self._keep_finished(prepared.project, cache, end)
            raise
        findings, models = weigh(prepared, suspicions, records, live=not self.options.static)
        found = Examination(
            environment=self._environment(records),
            models=models,
            findings=findings,
            errors=(*prepared.errors, *failed),
            skipped=prepared.skipped,
            files=len(self.targets.files),
            seconds=0.0,
            comments=comments(prepared),
        )
        examination = told_by_cell(found, prepared.modules)
        if cache is not None:
            cache.keep(examination, prepared.project, requests, records)
        return examination

    def _read_all(self) -> Examination:
        """Scan the text of all targets; no model is looked for, as none is run."""
        from gptdoctor.static import examine_text
        from gptdoctor.told_models import require_entries

        require_entries(self.project_with({}), self.options)
        with self._scan_cache() as cache:
            found = examine_text(
                self.targets,
                self._search_paths,
                cache,
                lambda files: self._listener(events.ScanStarted(files)),
            )
        self._listener(events.ScanFinished(len(found.findings)))
        return Examination(
            environment=self._environment(()),
            models=(),
            findings=found.findings,
            errors=found.errors,
            skipped=found.skipped,
            files=len(self.targets.files),
            seconds=0.0,
            comments=found.comments,
        )

    @contextmanager
    def _scan_cache(self) -> Iterator[ScanCache | None]:
        """The scans of earlier runs, where the user wants any."""
        if not self.options.cache:
            yield None
            return
        from gptdoctor.cache.scans import ScanCache
        from gptdoctor.cache.store import Store, cache_folder
        from gptdoctor.cache.surroundings import surroundings

        store = Store(cache_folder(), lambda text: self._listener(events.Trouble(text)))
        around = surroundings(self._python, self._search_paths)
        try:
            yield ScanCache(store, around, self.root)
        finally:
            store.close()

    @cached_property
    def settling(self) -> Settling:
        """What sets aside what the user wants set aside, behind the weighing."""
        return Settling(self.options, self.targets, self._project)

    def _keep_finished(self, project: Project, cache: ResultCache, end: BaseException) -> None:
        """Keep what the models told that had finished when the user broke off, and note it."""
        from gptdoctor.diagnose.words import count

        finished = [] if self._running is None else self._running.finished()
        kept = cache.keep_records(project, finished)
        if kept:
            end.add_note(f"what {count(kept, 'model')} told is kept for the next run")

    def _scan(self, prepared: Prepared) -> tuple[list[Suspicion], list[SourceError]]:
        from gptdoctor.prepare import suspect

        self._listener(events.ScanStarted(len(prepared.modules)))
        suspicions, failed = suspect(prepared)
        self._listener(events.ScanFinished(len(suspicions)))
        return suspicions, failed

    def _requests(
        self, models: Sequence[ModelTarget], overlay: Mapping[str, str], without: tuple[str, ...]
    ) -> list[ExamineRequest]:
        from gptdoctor.told_models import config_of

        return [
            ExamineRequest(
                target=model,
                root=str(self.root),
                seed=self.options.seed,
                timeout_seconds=self.options.timeout_seconds,
                build=said.build or self._recipes.get((model.path, model.name)),
                told=said.build is not None,
                call=said.call,
                without=without,
                overlay=overlay,
                memory_bytes=self.options.memory_bytes,
                devices=self.options.devices,
                fast=self.options.fast,
            )
            for model in models
            for said in [config_of(self.options, model)]
        ]

    def _remember_recipes(self, models: Iterable[ModelDiagnosis]) -> None:
        for model in models:
            if model.specimen is not None:
                self._recipes.setdefault((model.path, model.name), model.specimen.build)

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
            unlimited=ran.unlimited if ran else (),
        )

    @cached_property
    def _search_paths(self) -> tuple[Path, ...]:
        return tuple(Path(path) for path in search_paths(self._python))

    def _open_cache(self) -> ResultCache:
        from gptdoctor.cache.results import ResultCache

        return ResultCache(
            self.options,
            self.targets,
            self._here,
            self._python,
            self._search_paths,
            lambda text: self._listener(events.Trouble(text)),
        )


def _trouble(records: Sequence[ModelRecord]) -> str:
    """Why none of the models could be started, "" where one was."""
    if records and all(record.ending.kind == "not-started" for record in records):
        return records[0].ending.detail
    return ""
