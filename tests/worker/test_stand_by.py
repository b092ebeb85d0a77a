"""Imports in a copy of the fork server: which process goes on, and with what."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.worker.conftest import write

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

PACKAGES = {
    "fine.py": "VALUE = 1\n",
    "hangs.py": "import time\ntime.sleep(600)\n",
    "exits.py": "import os\nos._exit(0)\n",
    "raises.py": "raise RuntimeError('no')\n",
    "leaves.py": "import sys\nsys.exit()\n",
    "dies.py": "import os\nos.abort()\n",
    "threads.py": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n",
    "starts.py": "import subprocess\nsubprocess.Popen(['sleep', '608'])\nraise RuntimeError\n",
    "lazy.py": "def __getattr__(name):\n    import fine\n    return fine\n",
}
SCRIPT = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
from gptdoctor.worker import stand_by
stand_by.IMPORT_SECONDS = 0.5
control, other = os.pipe()
{before}
first = os.getpid()
outcome = stand_by.preload({modules!r}, control)
print(os.getpid() == first, outcome.copy, sorted(outcome.failed), "fine" in sys.modules,
      outcome.ended is not None and stand_by.released(outcome.ended), flush=True)
os._exit(stand_by.RELEASED if outcome.copy else 0)
"""


def run(folder: Path, *modules: str, before: str = "") -> list[str]:
    """What each process that comes back from `preload` says of itself.

    That is: whether it is the first, whether it says so, what failed, whether `fine` is loaded,
    and whether it was a copy's release that let it go on.
    """
    write(folder, PACKAGES)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(modules=modules, before=before)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), str(folder)])},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return done.stdout.splitlines()


def test_a_copy_goes_on_with_the_imports_and_the_original_after_it(tmp_path: Path) -> None:
    """The original has imported nothing when its copy was released."""
    assert run(tmp_path, "fine") == ["False True [] True False", "True False [] False True"]


@pytest.mark.parametrize("bad", ["hangs", "exits", "raises", "leaves", "dies", "threads", "starts"])
def test_what_does_harm_is_left_out(tmp_path: Path, bad: str) -> None:
    """A package that hangs, dies, raises or starts a thread is not imported; the others are."""
    said = run(tmp_path, "fine", bad, "lazy")
    assert said[0] == f"False True ['{bad}'] True False"
    listed = subprocess.run(["ps", "-A", "-o", "args"], capture_output=True, text=True, check=False)
    assert "sleep 608" not in listed.stdout


def test_the_original_goes_on_alone_where_too_much_does_harm(tmp_path: Path) -> None:
    """After a few tries nothing is imported ahead at all."""
    said = run(tmp_path, "raises", "leaves", "exits", "fine")
    assert said == ["True False ['exits', 'fine', 'leaves', 'raises'] False False"]


def test_the_names_that_are_asked_of_a_module_are_loaded(tmp_path: Path) -> None:
    """A package that loads lazily is asked for what the files import from it."""
    assert run(tmp_path, "lazy:anything")[0] == "False True [] True False"
    assert run(tmp_path, "lazy")[0] == "False True [] False False"


def test_a_request_of_the_parents_ends_the_waiting(tmp_path: Path) -> None:
    """When the parent says something meanwhile, it is to stop: nobody waits for the import."""
    said = run(tmp_path, "hangs", before="stand_by.IMPORT_SECONDS = 600; os.write(other, b'x')")
    assert said == ["True False ['hangs'] False False"]
