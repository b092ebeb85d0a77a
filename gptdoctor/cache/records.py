"""What the worker told of each model, kept for the next run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gptdoctor.cache import fingerprint
from gptdoctor.cache.lasting import lasts
from gptdoctor.cache.store import Store
from gptdoctor.cache.surroundings import Surroundings
from gptdoctor.cache.witness import Witness, observe, settled, still_true
from gptdoctor.core.errors import ProtocolError
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.import_dependencies import ImportDependencies
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.source.project import Project
from gptdoctor.worker.codec import from_plain, to_plain


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A record, and what it rests on."""

    record: ModelRecord
    witness: Witness


class RecordCache:
    """Records by what was asked for: model, options and surroundings.

    A request that is answered from here is answered as it would be by running the model: nothing
    that the record rests on has changed.
    """

    def __init__(self, store: Store, around: Surroundings, root: Path) -> None:
        self._store = store
        self._around = around
        self._root = root
        self._known: dict[str, Kept] = {}  # of this run: proven once

    def get(self, request: ExamineRequest) -> ModelRecord | None:
        """The record of a request, where one is kept that is still true."""
        kept = self.kept(request)
        return None if kept is None else kept.record

    def kept(self, request: ExamineRequest) -> Kept | None:
        """The record with what it rests on."""
        if not _may_be_kept(request):
            return None
        key = self._key(request)
        if key not in self._known:
            kept = _decoded(self._store.get(key))
            if kept is None or not still_true(kept.witness, self._root):
                return None
            self._known[key] = replace(kept, record=replace(kept.record, cached=True))
        return self._known[key]

    def put(
        self, request: ExamineRequest, record: ModelRecord, project: Project, since_ns: int
    ) -> bool:
        """Keep a record that was made after the moment `since_ns`; whether it is kept.

        It is not where it would not last, or where a file has changed meanwhile.
        """
        if not (_may_be_kept(request) and lasts(record)):
            return False
        witness = self._observe(record, project)
        if not settled(witness, self._root, since_ns):
            return False
        kept = Kept(record=record, witness=witness)
        try:
            self._store.put(self._key(request), to_plain(kept, Kept))
        except ProtocolError:  # a measurement with a value that has no plain form
            return False
        self._known[self._key(request)] = kept
        return True

    def _observe(self, record: ModelRecord, project: Project) -> Witness:
        """What the record rests on: what was loaded, and what that asks for."""
        # What parses a whole project is loaded only when something was run.
        from gptdoctor.cache.imported import imported

        used = {self._root / path for path in _files_of(record)}
        wanted = imported(project, used, self._around.folders)
        return observe(
            self._root,
            files=map(self._relative, wanted.files),
            folders=map(self._relative, wanted.folders),
            names={*wanted.names, *_failed_names(record)},
        )

    def _relative(self, path: Path) -> str:
        inside = path.is_relative_to(self._root)
        return path.relative_to(self._root).as_posix() if inside else str(path)

    def _key(self, request: ExamineRequest) -> str:
        asked = to_plain(request, ExamineRequest)
        return fingerprint.of_value(["record", self._around.fingerprint, asked])


def _may_be_kept(request: ExamineRequest) -> bool:
    """Not with patched text; nor with accelerators, of which there are others on each machine."""
    return not request.overlay and not request.devices


def _decoded(plain: Any) -> Kept | None:
    """The kept record; None for anything that was not written by `put`."""
    try:
        return None if plain is None else from_plain(plain, Kept)
    except ProtocolError:
        return None


def _files_of(record: ModelRecord) -> Iterator[str]:
    """The files of the project that the model is made of or that were run."""
    yield record.target.path
    yield from (part.partition("::")[0] for part in record.target.family)
    for measured in record.measured:
        yield from measured.executed
        if isinstance(measured.measurement, ImportDependencies):
            yield from measured.measurement.files
        if isinstance(measured.measurement, Construction):
            yield from measured.measurement.read


def _failed_names(record: ModelRecord) -> Iterator[str]:
    """The modules that could not be imported, dotted; a relative one has no name to look for."""
    for measured in record.measured:
        if isinstance(measured.measurement, ImportDependencies):
            for failure in measured.measurement.failures:
                yield failure.module.lstrip(".")
                if failure.name is not None:
                    yield f"{failure.module.lstrip('.')}.{failure.name}"
