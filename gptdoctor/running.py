"""The models' records: from the cache where they are kept there, from the worker where not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gptdoctor.core.events import Listener
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.specimens import ExamineRequest

if TYPE_CHECKING:
    from gptdoctor.cache.records import RecordCache
    from gptdoctor.worker.session import Session


class Running:
    """The worker of one checkup, which is started only when a model has to be run."""

    def __init__(
        self,
        python: str,
        root: Path,
        records: RecordCache | None,
        listener: Listener,
        *,
        jobs: int | None = None,
        devices: bool = False,
    ) -> None:
        self._python = python
        self._root = root
        self._records = records
        self._listener = listener
        self._jobs = jobs
        self._devices = devices
        self._session: Session | None = None

    def start(self) -> Session:
        """Start the worker, unless it runs: it imports torch while other work is done."""
        if self._session is None:
            from gptdoctor.worker.session import Session

            self._session = Session(
                self._python, str(self._root), jobs=self._jobs, devices=self._devices
            )
        return self._session

    def examine(self, requests: Sequence[ExamineRequest]) -> Iterator[ModelRecord]:
        """The record of each request, in their order; the worker starts before the first is asked.

        It starts when this is called, not when the first record is taken.
        """
        known = [self.known(request) for request in requests]
        missed = [
            request for request, record in zip(requests, known, strict=True) if record is None
        ]
        run = self.start().examine(missed, self._listener) if missed else iter(())
        return (next(run) if record is None else record for record in known)

    def finished(self) -> list[tuple[ExamineRequest, ModelRecord]]:
        """What was asked last and has been run to its end, also where nobody has taken it yet."""
        return [] if self._session is None else self._session.finished()

    def known(self, request: ExamineRequest) -> ModelRecord | None:
        """What the cache answers."""
        return None if self._records is None else self._records.get(request)

    def close(self) -> None:
        """End the worker and all that it started."""
        if self._session is not None:
            self._session.close()
            self._session = None
