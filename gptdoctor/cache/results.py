"""All that is kept from run to run for one call: models' records and whole examinations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from gptdoctor.cache.examinations import ExaminationCache
from gptdoctor.cache.records import RecordCache
from gptdoctor.cache.store import Store, cache_folder
from gptdoctor.cache.surroundings import surroundings
from gptdoctor.config import Options
from gptdoctor.core.diagnosis import Examination
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.source.project import Project
from gptdoctor.source.targets import Targets


class ResultCache:
    """What earlier runs found of these targets, and where this run's results go."""

    def __init__(
        self,
        options: Options,
        targets: Targets,
        here: Path,
        python: str,
        search_paths: tuple[Path, ...],
        tell: Callable[[str], None],
    ) -> None:
        """`tell` hears, once, why the cache cannot be used."""
        self._store = Store(cache_folder(), tell)
        around = surroundings(python, search_paths)
        self.records = RecordCache(self._store, around, targets.root)
        self._whole = ExaminationCache(self._store, around, targets, here, options)
        self._since_ns = 0

    def answer(self) -> Examination | None:
        """The examination, where nothing at all has changed since it was made."""
        self._since_ns = time.time_ns()
        return self._whole.get()

    def leaves_work(self) -> bool:
        """Whether it is known already, before any text is read, that some model must be run."""
        expected = self._whole.expected()
        return expected is None or any(self.records.get(one) is None for one in expected)

    def keep(
        self,
        examination: Examination,
        project: Project,
        requests: Sequence[ExamineRequest],
        records: Sequence[ModelRecord],
    ) -> None:
        """Keep what was found since `answer` was asked."""
        self.keep_records(project, zip(requests, records, strict=True))
        self._whole.expect(requests)
        self._whole.put(examination, [self.records.kept(one) for one in requests], self._since_ns)

    def keep_records(
        self, project: Project, told: Iterable[tuple[ExamineRequest, ModelRecord]]
    ) -> int:
        """Keep what models told that were run since then; returns how many of them last."""
        return sum(
            self.records.put(request, record, project, self._since_ns)
            for request, record in told
            if not record.cached
        )

    def close(self) -> None:
        """Let go of the folder."""
        self._store.close()
