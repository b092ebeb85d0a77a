"""User code that hangs, dies, lies and breaks things: a clear record, and nothing left behind.

All cases are examined in one session of forked processes, and the most telling ones in one of fresh
processes; some at a time, with a healthy model before and after them.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.record import Measured, ModelRecord
from gptdoctor.worker.interpreter import choose_python
from gptdoctor.worker.session import Session
from tests.worker.conftest import HEALTHY, defining, request_for, write

pytest.importorskip("torch")

# What each file does to define its model, which is a healthy one.  It is done in the body of a
# class: work that defines nothing would be left out.
CASES = {
    "hang": "import time\nprint('before')\ntime.sleep(600)\n",
    "spin": "while True: pass\n",
    "exit_now": "import os\nprint('bye')\nos._exit(0)\n",
    "segfault": "import ctypes\nctypes.string_at(0)\n",
    "abort": "import os\nos.abort()\n",
    "kill_self": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
    "chatter": "print('x' * 1_000_000)\n",
    "forger": 'print(\'{"Finished":{}}\')\nprint(\'1 {"Stage":{"stage":"forged"}}\')\n',
    "closer": "import os\nfor fd in (0, 1, 2, *range(3, 21)):\n"
    "    try: os.close(fd)\n    except OSError: pass\n",
    "closes_all": "import os\nos.closerange(0, 4096)\n",
    "sys_exit": "import sys\nsys.exit('enough')\n",
    "interrupt": "raise KeyboardInterrupt\n",
    "sleeper": "import subprocess\nsubprocess.Popen(['sleep', '601'])\n",
    "daemon": "import subprocess\nsubprocess.Popen(['sleep', '602'], start_new_session=True)\n",
    "daemon_in_hang": "import subprocess, time\n"
    "subprocess.Popen(['sleep', '603'], start_new_session=True)\ntime.sleep(600)\n",
    "recursion": "def f(): f()\nf()\n",
    "forker": "import os\nos.fork()\n",
    "forker_of_many": "import os\nfor _ in range(3): os.fork()\n",
    "mover": "import os, sys\nos.chdir('/')\nos.environ.clear()\nsys.path.clear()\n",
    "replacer": "import builtins, json, os, sys\n"
    "def no(*a, **k): raise OSError('no')\n"
    "builtins.print = builtins.open = json.dumps = json.loads = json.JSONEncoder.encode = no\n"
    "os.write = os.getpid = os._exit = sys.exit = no\nsys.stdout = sys.stderr = None\n",
    "tracer": "import sys\nsys.settrace(lambda *a: None)\n",
    "reader": "import sys\nassert sys.stdin.read() == ''\n",
    "threads": "import threading, time\nthreading.Thread(target=time.sleep, args=(604,)).start()\n",
    "leaver": "import atexit, time\natexit.register(time.sleep, 605)\n",
    "glutton": "import torch\nWEIGHTS = torch.empty(1 << 48, dtype=torch.uint8)\n",
    "looks_about": "import sys, os\nprint('torch._dynamo' in sys.modules)\n"
    "print(any('gptdoctor' in entry for entry in sys.path), os.getcwd())\n"
    "print(os.environ['CUDA_VISIBLE_DEVICES'], os.environ['HF_HUB_OFFLINE'], sys.argv[1:])\n",
}
IMPATIENT = {"hang", "spin", "daemon_in_hang"}
HEALTHY_ALL_THE_SAME = {
    *("chatter", "forger", "closer", "sleeper", "daemon", "forker", "forker_of_many", "mover"),
    *("tracer", "reader", "threads", "leaver", "looks_about", "healthy_0", "healthy_1"),
}
# A fresh process takes two seconds: those cases in which the two ways do something different, and
# of one fork and three the three.
ALSO_SPAWNED = {
    *("hang", "daemon_in_hang", "exit_now", "segfault", "closes_all", "closer", "chatter"),
    *("forger", "daemon", "forker_of_many", "replacer", "threads", "glutton", "looks_about"),
    "healthy_1",  # the last, after all of them
}
NEEDS_POSIX = {"forker", "forker_of_many", "sleeper", "daemon", "daemon_in_hang"}
LIMIT_SECONDS = 1.0


class Records(dict[str, ModelRecord]):
    """Records by the name of the case; a test of a case that was not run is skipped."""

    def __missing__(self, name: str) -> ModelRecord:
        pytest.skip(f"{name} is not run in fresh processes")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of nothing but trouble."""
    root = tmp_path_factory.mktemp("hostile").resolve()
    write(root, {f"{name}.py": defining(text) + HEALTHY for name, text in CASES.items()})
    write(root, {"healthy_0.py": HEALTHY, "healthy_1.py": HEALTHY})
    return root


@pytest.fixture(scope="module", params=["fork", "spawn"])
def records(root: Path, request: pytest.FixtureRequest) -> dict[str, ModelRecord]:
    """The record of each case, by its name: from forked processes, and from fresh ones."""
    if request.param == "fork" and not hasattr(os, "fork"):
        pytest.skip("there is no fork here")
    names = ["healthy_0", *CASES, "healthy_1"]
    if not hasattr(os, "fork"):
        names = [name for name in names if name not in NEEDS_POSIX]
    if request.param == "spawn":
        names = [name for name in names if name in ALSO_SPAWNED]
    requests = [
        request_for(
            root, f"{name}.py", timeout_seconds=LIMIT_SECONDS if name in IMPATIENT else 20.0
        )
        for name in names
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPTDOCTOR_WORKER", request.param)
        with Session(choose_python(None, str(root)), str(root)) as session:
            found = list(session.examine(requests))
    return Records(zip(names, found, strict=True))


def built(record: ModelRecord) -> bool:
    """Whether the model was built, as a healthy one is."""
    return any(
        isinstance(each.measurement, Construction) and each.measurement.outcome == "built"
        for each in record.measured
    )


@pytest.mark.parametrize("name", sorted(HEALTHY_ALL_THE_SAME))
def test_what_does_no_harm_is_examined(records: dict[str, ModelRecord], name: str) -> None:
    """Healthy models, and odd ones that still can be built, are examined to the end."""
    record = records[name]
    assert record.ending.kind == "finished", record.ending
    assert built(record)
    assert [each.probe for each in record.measured] == ["import-dependencies", "construction"]


@pytest.mark.parametrize(
    ("name", "kind", "detail"),
    [
        ("hang", "timeout", "1 s"),
        ("spin", "timeout", "1 s"),
        ("daemon_in_hang", "timeout", "1 s"),
        ("exit_now", "exit", "status 0"),
        ("segfault", "signal", "SIGSEGV"),
        ("abort", "signal", "SIGABRT"),
        ("kill_self", "signal", "SIGKILL"),
        ("closes_all", "broken", "the code closed the descriptor that its results go through"),
    ],
)
def test_an_end_before_the_end_is_told(
    records: dict[str, ModelRecord], name: str, kind: str, detail: str
) -> None:
    """The record says how the process ended and in which stage; status 0 is no success."""
    ending = records[name].ending
    assert (kind, "import", detail) == (ending.kind, ending.stage, ending.detail)
    assert records[name].measured == ()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sys_exit", "SystemExit"),
        ("interrupt", "KeyboardInterrupt"),
        ("recursion", "RecursionError"),
    ],
)
def test_an_exception_at_import_is_a_result(
    records: dict[str, ModelRecord], name: str, kind: str
) -> None:
    """What a file raises while it is imported is a crash of its own, and no end of the job."""
    record = records[name]
    construction = record.measured[-1].measurement
    assert record.ending.kind == "finished"
    assert isinstance(construction, Construction)
    assert construction.crash is not None
    assert ("crashed", "import", kind) == (
        construction.outcome,
        construction.crash.stage,
        construction.crash.kind,
    )


def test_replaced_functions_do_not_stop_the_telling(records: dict[str, ModelRecord]) -> None:
    """With print, open, json and os.write replaced, what was found still arrives."""
    assert "import-dependencies" in [each.probe for each in records["replacer"].measured]
    assert "construction" in [each.probe for each in records["replacer"].measured]


def test_too_much_memory_is_no_crash_of_the_models(records: dict[str, ModelRecord]) -> None:
    """A file that fills more memory than there is leaves the model unexamined, not condemned."""
    construction = records["glutton"].measured[-1].measurement
    assert isinstance(construction, Construction)
    assert construction.outcome == "not-built"
    assert "more memory than there is" in construction.tried[0]
    assert "GiB of memory, the limit of each model" in construction.lack


def test_output_is_kept_and_cut(records: dict[str, ModelRecord]) -> None:
    """What the code prints is caught, up to 64 KiB, and never taken for a message."""
    assert records["hang"].output == "before\n"
    assert records["exit_now"].output == "bye\n"
    assert records["chatter"].output == "x" * 65536
    assert '{"Finished":{}}' in records["forger"].output
    assert records["forger"].ending.stage != "forged"


def test_a_crash_of_the_interpreter_names_the_line(records: dict[str, ModelRecord]) -> None:
    """The captured output says where a segmentation fault happened."""
    assert 'segfault.py", line 3' in records["segfault"].output


def test_the_user_code_sees_a_plain_process(records: dict[str, ModelRecord], root: Path) -> None:
    """No compiler is loaded, our packages are not on the path, devices and the net are off."""
    assert ["False", f"False {root}", " 1 []"] == records["looks_about"].output.splitlines()


def test_a_copy_of_the_process_tells_nothing(records: dict[str, ModelRecord]) -> None:
    """A fork of the user's that comes back to us sends no message twice."""
    record = records["forker_of_many"]
    assert len(record.measured) == 2
    assert isinstance(record.measured[0], Measured)


def test_nothing_is_left_behind(records: dict[str, ModelRecord]) -> None:
    """No zombie, no child, and none of the daemons that the user's code started."""
    assert records
    deadline = time.monotonic() + 2
    while left := sleepers():
        assert time.monotonic() < deadline, left
    assert not psutil.Process().children(recursive=True)


def sleepers() -> list[str]:
    """The commands that the cases started and that still run."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if command[:1] == ["sleep"] and command[-1] in {"601", "602", "603"}:
            found.append(" ".join(command))
    return found


def test_nothing_is_written_into_the_project(records: dict[str, ModelRecord], root: Path) -> None:
    """Not even bytecode lies beside the files that were imported."""
    assert records
    names = ["healthy_0", *CASES, "healthy_1"]
    assert {f"{name}.py" for name in names} == {path.name for path in root.iterdir()}
