"""Records that are kept: by what was asked, and only where nobody doubts what was run."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gptdoctor.cache.records import RecordCache
from gptdoctor.cache.store import Store
from gptdoctor.cache.surroundings import Surroundings
from gptdoctor.core.measurements.import_dependencies import ImportDependencies, ImportFailure
from gptdoctor.core.measurements.record import Ending, Measured, ModelRecord
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.source.project import Project
from tests.worker.conftest import request_for, write

AROUND = Surroundings(fingerprint="here", folders=())


@dataclasses.dataclass
class Desk:
    """A project of one model and what is kept of it."""

    root: Path
    store: Store

    def cache(self, around: Surroundings = AROUND) -> RecordCache:
        """A cache as a new run has it."""
        return RecordCache(self.store, around, self.root)

    def request(self, **named: object) -> ExamineRequest:
        """The request for the model."""
        return request_for(self.root, "m.py", **named)

    def keep(self, since_ns: int | None = None, **named: object) -> bool:
        """Keep a record of a run that began at a moment; None: now."""
        request = self.request(**named)
        failure = ImportFailure(
            path="m.py", line=1, module="absent", name=None, guarded=True, needed=False, error=""
        )
        imports = ImportDependencies(
            imported=True, failures=(failure,), seconds=0.1, files=("m.py", "hidden_part.py")
        )
        record = ModelRecord(
            target=request.target,
            measured=(Measured(probe="import-dependencies", measurement=imports),),
            unmeasured=(),
            ending=Ending(kind="finished", stage="", detail=""),
            output="",
            seconds=1.0,
            torch="2",
            python="3",
        )
        since_ns = time.time_ns() if since_ns is None else since_ns
        return self.cache().put(request, record, Project(root=self.root), since_ns)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A model whose text names no other file; the run loaded one, and lacked another."""
    write(tmp_path / "root", {"m.py": "x = 1\n", "hidden_part.py": ""})
    time.sleep(0.05)  # the files have been there for a while
    store = Store(tmp_path / "cache", pytest.fail)
    yield Desk(tmp_path / "root", store)
    store.close()


def test_a_kept_record_is_given_to_the_same_request(desk: Desk) -> None:
    """It says that it was kept; another seed, other surroundings or a probe less are another."""
    assert desk.keep()
    found = desk.cache().get(desk.request())
    assert found is not None
    assert found.cached
    assert desk.cache().get(desk.request(seed=1)) is None
    assert desk.cache().get(desk.request(probes=())) is None
    other = Surroundings(fingerprint="elsewhere", folders=())
    assert desk.cache(other).get(desk.request()) is None


@pytest.mark.parametrize("file", ["m.py", "hidden_part.py", "absent.py"])
def test_what_the_run_loaded_or_lacked_makes_it_stale(desk: Desk, file: str) -> None:
    """Though no import in the text names it."""
    assert desk.keep()
    write(desk.root, {file: "x = 2\n"})
    assert desk.cache().get(desk.request()) is None


def test_patched_text_and_accelerators_are_neither_kept_nor_answered(desk: Desk) -> None:
    """A repair is proven by running, and the next machine has another accelerator."""
    assert desk.keep()
    for named in ({"overlay": {"m.py": "x = 1\n"}}, {"devices": True}):
        assert not desk.keep(**named)
        assert desk.cache().get(desk.request(**named)) is None


def test_a_record_is_not_kept_where_a_file_changed_since_the_start(desk: Desk) -> None:
    """Nobody knows whether the old text was run or the new one."""
    started = time.time_ns()
    write(desk.root, {"hidden_part.py": ""})
    assert not desk.keep(started)
    assert desk.cache().get(desk.request()) is None
