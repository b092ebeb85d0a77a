"""How many models run at once, and that it changes nothing of what they tell."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from gptdoctor.core.measurements.record import Measured
from gptdoctor.worker import capacity
from gptdoctor.worker.interpreter import choose_python
from gptdoctor.worker.session import Session
from tests.worker.conftest import HEALTHY, defining, request_for, write

pytest.importorskip("torch")
GIBIBYTE = 2**30
NAMES = ("a.py", "b.py", "c.py")
PATIENCE = 120.0  # seconds: three at once on a machine that others keep busy are slow, not hung
PROBES = ("gradient-flow", "shapes", "training-interface")
# Tells when it is imported and when that is over, and lasts long enough for others to be seen.
LOGS = """\
import pathlib, time
log = pathlib.Path("log.txt").open("a", buffering=1)
print("+", file=log)
time.sleep(0.4)
print("-", file=log)
"""


def with_machine(
    monkeypatch: pytest.MonkeyPatch, *, cores: int, available_bytes: float
) -> pytest.MonkeyPatch:
    """A machine of this size, as far as `capacity` can tell."""
    memory = SimpleNamespace(available=int(available_bytes))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(cores), raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("cores", "gibibytes", "shared", "jobs"),
    [
        (8, 64, True, 8),  # a core each
        (8, 64, False, 8),
        (8, 3.5, True, 3),  # a GiB each
        (8, 3.5, False, 2),  # one and a half, where each loads torch for itself
        (8, 0.2, True, 1),  # one runs in any case
        (1, 64, True, 1),
    ],
)
def test_cores_and_free_memory_decide(
    monkeypatch: pytest.MonkeyPatch, cores: int, gibibytes: float, shared: bool, jobs: int
) -> None:
    """As many as there are cores, while there is memory for each, and never none."""
    with_machine(monkeypatch, cores=cores, available_bytes=gibibytes * GIBIBYTE)
    assert capacity.jobs_at_once(shared=shared) == jobs


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models that log when they are imported."""
    root = tmp_path_factory.mktemp("capacity").resolve()
    write(root, dict.fromkeys(NAMES, defining(LOGS) + HEALTHY))
    return root


@pytest.fixture
def log(root: Path) -> Iterator[Path]:
    """Where they log, empty."""
    log = root / "log.txt"
    log.unlink(missing_ok=True)
    yield log
    log.unlink(missing_ok=True)


def examined(root: Path, jobs: int) -> list[dict[str, Measured]]:
    """What some probes told of each of the three, by probe."""
    requests = [request_for(root, name, probes=PROBES, timeout_seconds=PATIENCE) for name in NAMES]
    with Session(choose_python(None, str(root)), str(root), jobs=jobs) as session:
        records = list(session.examine(requests))
    assert [record.target.path for record in records] == list(NAMES)
    return [{one.probe: one for one in record.measured} for record in records]


def test_the_number_of_jobs_is_kept_and_changes_no_result(root: Path, log: Path) -> None:
    """One after another with one job, side by side with three, and the same is told."""
    one = examined(root, 1)
    assert log.read_text().split() == ["+", "-"] * 3
    log.unlink()
    three = examined(root, 3)
    assert log.read_text().split() == ["+"] * 3 + ["-"] * 3
    for probe in ("construction", *PROBES):  # the import tells how long it took
        assert [told[probe] for told in one] == [told[probe] for told in three]


@pytest.mark.parametrize(("gibibytes", "jobs"), [(64, 2), (0.5, 1)])
def test_without_a_number_memory_decides(
    root: Path, monkeypatch: pytest.MonkeyPatch, gibibytes: float, jobs: int
) -> None:
    """Two cores are both used where memory allows, and one where it does not."""
    with_machine(monkeypatch, cores=2, available_bytes=gibibytes * GIBIBYTE)
    with Session(choose_python(None, str(root)), str(root)) as session:
        assert session._jobs == jobs
