"""A session from the parent's side: order, events, limits, and whatever may go wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from gptdoctor.core.events import Event, ModelFinished, ModelStarted, ProbeStarted
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.import_dependencies import ImportDependencies
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.worker.interpreter import choose_python
from gptdoctor.worker.session import Session
from tests.worker.conftest import HEALTHY, defining, request_for, write

pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

KILLS_THE_SERVER = """\
import os, signal, time
time.sleep(0.3)
os.kill(os.getppid(), signal.SIGKILL)
"""
FINDS_THE_DESCRIPTOR = """\
import os
for fd in range(100, 256):
    try: os.write(fd, b'{"Stage":{"stage":7}}\\n')
    except OSError: pass
"""

SEEDS = """\
import torch, traceback
expected = torch.rand(2, generator=torch.Generator().manual_seed(7))
written, original = [], traceback.format_stack
traceback.format_stack = lambda *words: written.append(1) or original(*words)
torch.manual_seed(7)
assert torch.equal(torch.rand(2), expected)
torch.cuda.manual_seed_all(7)
assert not written, "a stack of calls is written down for a device that is not there"
"""

Family = Callable[[], list[psutil.Process]]


@pytest.fixture(scope="module", autouse=True)
def forked() -> Iterator[None]:
    """Models run in forks of a server, unless a test says otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPTDOCTOR_WORKER", "fork")
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of some models."""
    root = tmp_path_factory.mktemp("session").resolve()
    slow = defining("import time\ntime.sleep(0.4)\n")
    write(
        root,
        {
            "a.py": HEALTHY,
            "b.py": HEALTHY,
            "slow.py": slow + HEALTHY,
            "forever.py": defining("import time\ntime.sleep(600)\n") + HEALTHY,
            "random.py": "raise RuntimeError('the wrong random')\n",
            "kills_the_server.py": defining(KILLS_THE_SERVER) + HEALTHY,
            "seeds.py": defining(SEEDS) + HEALTHY,
            "finds_the_descriptor.py": defining(FINDS_THE_DESCRIPTOR) + HEALTHY,
        },
    )
    return root


@pytest.fixture(scope="module")
def python(root: Path) -> str:
    """The interpreter that has torch."""
    return choose_python(None, str(root))


@pytest.fixture(scope="module")
def session(root: Path, python: str) -> Iterator[Session]:
    """One session for all tests that do not harm it."""
    with Session(python, str(root)) as session:
        yield session


@pytest.fixture
def strangers() -> Family:
    """The processes below this one that were not there when the test began."""
    before = psutil.Process().children(recursive=True)
    return lambda: [
        each for each in psutil.Process().children(recursive=True) if each not in before
    ]


def outcome(record: ModelRecord) -> str:
    """The outcome of the construction, "" where there is none."""
    found = [each.measurement for each in record.measured]
    return next((each.outcome for each in found if isinstance(each, Construction)), "")


def test_records_come_in_the_order_of_the_requests(session: Session, root: Path) -> None:
    """A slow model does not let a quick one overtake it, though they run side by side."""
    names = ["slow.py", "a.py", "slow.py", "b.py"]
    events: list[Event] = []
    records = list(session.examine([request_for(root, name) for name in names], events.append))
    assert names == [record.target.path for record in records]
    assert [outcome(record) for record in records] == ["built"] * 4
    assert all(record.torch and record.python for record in records)
    finished = [event.path for event in events if isinstance(event, ModelFinished)]
    assert finished[0] != "slow.py"


def test_events_tell_what_goes_on(session: Session, root: Path) -> None:
    """Each model is started, goes through its stages and is finished."""
    events: list[Event] = []
    list(session.examine([request_for(root, "a.py")], events.append))
    assert [
        ModelStarted("a.py", "Tiny"),
        ProbeStarted("a.py", "Tiny", "import"),
        ProbeStarted("a.py", "Tiny", "construction"),
        ModelFinished("a.py", "Tiny"),
    ] == events


def test_seeding_costs_nothing_for_devices_that_are_not_shown(session: Session, root: Path) -> None:
    """The numbers are those of torch, and nothing is kept for a device."""
    [record] = session.examine([request_for(root, "seeds.py")])
    assert outcome(record) == "built", record.measured


def test_an_overlay_stands_for_the_file(session: Session, root: Path) -> None:
    """A repair is examined without a file being touched."""
    overlay = {"a.py": HEALTHY.replace("import torch\n", "import torch, gone\n")}
    [record] = session.examine([request_for(root, "a.py", overlay=overlay)])
    dependencies = record.measured[0].measurement
    assert isinstance(dependencies, ImportDependencies)
    assert [failure.module for failure in dependencies.failures] == ["gone"]
    assert "gone" not in (root / "a.py").read_text()


def test_a_line_that_is_no_message_breaks_that_record_alone(session: Session, root: Path) -> None:
    """Code that finds the hidden descriptor can spoil its own record, and no other."""
    names = ["finds_the_descriptor.py", "a.py"]
    broken, healthy = session.examine([request_for(root, name) for name in names])
    assert (broken.ending.kind, broken.ending.stage) == ("broken", "import")
    assert "Stage.stage: expected str, found int" in broken.ending.detail
    assert outcome(healthy) == "built"


def test_jobs_that_nobody_waits_for_are_ended(session: Session, root: Path) -> None:
    """Leaving the examination early stops what runs, and the session can be used again."""
    requests = [request_for(root, name) for name in ("a.py", "forever.py", "forever.py")]
    for record in session.examine(requests):
        assert record.target.path == "a.py"
        break
    [again] = session.examine([request_for(root, "b.py")])
    assert outcome(again) == "built", again
    server = session._link._server
    assert server is not None
    deadline = time.monotonic() + 2
    while psutil.Process(server.pid).children():
        assert time.monotonic() < deadline


def test_a_dead_fork_server_is_replaced(root: Path, python: str, strangers: Family) -> None:
    """Who kills it is found out by running the suspects alone; the others are examined."""
    names = ["slow.py", "kills_the_server.py", "b.py"]
    with Session(python, str(root)) as session:
        records = list(session.examine([request_for(root, name) for name in names]))
    assert [record.ending.kind for record in records] == ["finished", "broken", "finished"]
    assert [outcome(record) for record in records] == ["built", "", "built"]
    assert "SIGKILL" in records[1].ending.detail
    assert not strangers()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (None, "cannot be started (No such file or directory): choose another"),
        ("exit 3", "cannot run models (it ended with status 3): choose another"),
        ("echo 'no libc' >&2; exit 1", "cannot run models (no libc): choose another"),
        ("kill -9 $$", "cannot run models (it was killed by SIGKILL): choose another"),
        ("echo '0 nonsense' >&$4", "cannot run models (a line is not JSON"),
        (f'exec {sys.executable} -S "$@"', "has no torch: install it there"),
    ],
    ids=["absent", "fails", "complains", "killed", "babbles", "no-torch"],
)
def test_an_unusable_interpreter_is_told_in_every_record(
    root: Path, tmp_path: Path, script: str | None, says: str
) -> None:
    """Nothing is raised: each record says why it was not started and what to do."""
    python = tmp_path / "python"
    if script is not None:
        # The descriptors are the second and third argument; a shell knows them below ten alone.
        python.write_text(f"#!/bin/bash\n{script.replace('>&$4', '>&${4}')}\n")
        python.chmod(0o755)
    with Session(str(python), str(root)) as session:
        records = list(session.examine([request_for(root, "a.py")] * 2))
    assert [record.ending.kind for record in records] == ["not-started"] * 2
    assert all(says in record.ending.detail for record in records), records[0].ending
    assert all("--python" in record.ending.detail for record in records)
    assert records[0].measured == ()


def test_an_old_python_says_so(root: Path) -> None:
    """The first lines that run keep to old syntax, and end in one sentence."""
    bootstrap = Path("gptdoctor/worker/bootstrap.py").read_text()
    compile(bootstrap, "bootstrap.py", "exec", dont_inherit=True)
    import ast

    ast.parse(bootstrap, feature_version=(3, 6))
    code = f"import sys; sys.version_info = (3, 9, 1)\n{bootstrap}"
    done = subprocess.run(
        [sys.executable, "-c", code.replace("__file__", "''"), str(root), "0", "1"],
        capture_output=True,
        check=True,
    )
    assert b"models can be run with 3.11 or newer: choose another" in done.stdout


PARENT = """
import sys
sys.path.insert(0, {here!r})
from gptdoctor.core.specimens import ExamineRequest, ModelTarget
from gptdoctor.worker.session import Session
with Session({python!r}, {root!r}, jobs=2) as session:
    def tell(event):
        if getattr(event, "probe", "") == "import":
            print("import", flush=True)
    list(session.examine([{request!r}] * 2, tell))
"""


@pytest.mark.parametrize("way", ["fork", "spawn"])
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_outlives_the_parent(
    root: Path, python: str, sent: signal.Signals, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the parent dies, all that it started dies as well."""
    monkeypatch.setenv("GPTDOCTOR_WORKER", way)
    request = request_for(root, "forever.py")
    code = PARENT.format(here=str(Path.cwd()), root=str(root), python=python, request=request)
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True)
    assert parent.stdout is not None
    assert [parent.stdout.readline() for _ in range(2)] == ["import\n", "import\n"]
    family = psutil.Process(parent.pid).children(recursive=True)
    assert len(family) == (3 if way == "fork" else 2)
    os.kill(parent.pid, sent)
    parent.communicate(timeout=20)
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def test_an_unused_session_costs_no_waiting(root: Path, python: str, strangers: Family) -> None:
    """A session that is closed before torch is imported does not wait for it."""
    began = time.monotonic()
    with Session(python, str(root)):
        pass
    assert time.monotonic() - began < 1  # importing torch takes longer
    assert not strangers()
