"""Who descends from whom."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import psutil
import pytest

from gptdoctor.worker import processes

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the parent has psutil there")


def names(numbers: list[int]) -> list[str]:
    """What the processes of these numbers run."""
    return [psutil.Process(each).name() for each in numbers]


def test_descendants_are_found_at_any_depth() -> None:
    """Children of children are found, parents first, and a dead one is not."""
    code = "import subprocess, time; subprocess.Popen(['sleep', '606']); time.sleep(606)"
    with subprocess.Popen([sys.executable, "-c", code]) as child:
        try:
            deadline = time.monotonic() + 30
            # a child that has not begun its program yet has the name of its parent
            while names(below := processes.descendants(child.pid)) != ["sleep"]:
                assert time.monotonic() < deadline, names(below)
                time.sleep(0.01)
            family = processes.descendants(os.getpid())
            assert family.index(child.pid) < family.index(below[0])
        finally:  # else a failure would wait for them
            processes.kill([*processes.descendants(child.pid), child.pid])
            child.wait()
    assert child.pid not in processes.descendants(os.getpid())


@pytest.mark.skipif(shutil.which("/bin/ps") is None, reason="there is no ps here")
def test_ps_tells_the_same() -> None:
    """Where there is no /proc, ps is asked; it does not count itself."""
    with subprocess.Popen(["sleep", "607"]) as child:
        pairs = processes._parents_by_ps()
        assert (child.pid, os.getpid()) in pairs
        assert [child.pid] == [process for process, parent in pairs if parent == os.getpid()]
        child.kill()


def test_killing_who_is_gone_is_no_error() -> None:
    """A process may end by itself at any moment."""
    with subprocess.Popen(["true"], start_new_session=True) as child:
        child.wait()
    processes.kill([child.pid])
    processes.kill_group(child.pid)
