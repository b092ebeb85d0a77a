"""What every test is kept from: results that the user's own runs have left, and accelerators."""

from __future__ import annotations

import compileall
import gc
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from gptdoctor.worker.isolation import without_seeds_of_devices

# Set before any test, or fixture of any scope, runs; `tests.commands` gives each command a folder
# of its own.
os.environ["GPTDOCTOR_CACHE_DIR"] = tempfile.mkdtemp(prefix="gptdoctor-tests-")
# torch starts threads for each device that it sees, and what runs in a worker without any is run
# in this process by many tests.  `tests.live.test_devices` shows them to its commands.
os.environ["CUDA_VISIBLE_DEVICES"] = ""
# One thread, as a worker has: two processes run tests at once, and where time of the processor is
# limited, that of every thread counts.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
# A shell has what runs in its background ignore Ctrl-C, and all that is started there with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Once, also where Python is told to write no bytecode: some hundred interpreters are started, and
# each would compile for itself what it imports of ours.
compileall.compile_dir(Path(__file__).parents[1] / "gptdoctor", quiet=2)

# Files whose tests take the longest: begun first, so that neither of two processes ends long
# before the other.
LONGEST = (
    "live/test_shown_by_a_run.py",
    "prove/test_proofs.py",  # of the same group
    "live/test_styles.py",
    "live/test_healthy_traps.py",
    "live",
    "prove",
    "worker/test_hostile.py",
    "worker/test_session.py",
    "test_scan.py",
    "probes",
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """A test that leaves torch more threads makes what comes after it six times slower.

    What is forked after it hangs: the threads that it counts on are not there.
    """
    yield
    torch = sys.modules.get("torch")
    number = 1 if torch is None else torch.get_num_threads()
    if number != 1:
        torch.set_num_threads(1)
        pytest.fail(f"the test leaves {number} threads to torch")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is imported and collected stays: it is not searched for garbage, now or later.

    Its bytecode is kept for the next run, as gptdoctor's is: to read the tests anew takes 2.5 s.
    """
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    gc.disable()
    try:
        return (yield)
    finally:
        sys.dont_write_bytecode = before
        gc.freeze()
        gc.enable()


def pytest_collection_finish() -> None:
    """Seed torch as a worker does: what runs in one is run in this process by many tests."""
    if "torch" in sys.modules:
        without_seeds_of_devices()


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, and each file in one process: its tests share what was examined."""
    items.sort(key=lambda item: _turn(_file(item.path)))  # a stable sort
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_file(item.path)))


@cache  # asked twice for each test
def _file(path: Path) -> str:
    return path.relative_to(Path(__file__).parent).as_posix()


@cache
def _turn(file: str) -> int:
    fitting = (number for number, start in enumerate(LONGEST) if file.startswith(start))
    return next(fitting, len(LONGEST))
