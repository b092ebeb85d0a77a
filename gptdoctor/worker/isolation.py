"""What the forked child gives up before the user's code runs, and what it is not shown."""

from __future__ import annotations

import faulthandler
import os
import random
import resource
import signal
import sys
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from fcntl import F_DUPFD_CLOEXEC, fcntl
from io import TextIOWrapper
from pathlib import Path

# Of the fork server and, unless the request says otherwise, of its children: no accelerator is
# seen.  Metal has no such variable; `hide_metal` sees to that.
HIDDEN_DEVICES = {
    "CUDA_VISIBLE_DEVICES": "",
    "HIP_VISIBLE_DEVICES": "",
    "ROCR_VISIBLE_DEVICES": "",
}
# One thread: tiny models run 14 to 35 times faster so, and a process with more cannot be forked
# safely.  Nothing is downloaded, nobody is called, and tokenizers do not warn of the fork.
QUIET = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "WANDB_MODE": "disabled",
    "PYTHONDONTWRITEBYTECODE": "1",
}
# Results leave by a descriptor from this range: above those that programs close by hand or by
# counting up from 3, below the limit of 256 open files that macOS sets.
_FIRST_RESULT_DESCRIPTOR = 100
_RESULT_DESCRIPTORS = 100
# Linux kills the process with the highest score first when memory runs out; this is the highest.
_OOM_SCORE = "1000"


def quiet_process() -> dict[str, str | None]:
    """Set the variables of a process that imports torch; returns those of devices as they were."""
    before = {name: os.environ.get(name) for name in HIDDEN_DEVICES}
    os.environ.update(HIDDEN_DEVICES | QUIET)
    # macOS ends a forked process that touches Objective-C, as numpy's Accelerate does.
    os.environ["OBJC_DISABLE_INITIALIZE_FORK_SAFETY"] = "YES"
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Newer Pythons warn of a fork with threads; numpy and torch are held to one.
    warnings.filterwarnings("ignore", message=".*multi-threaded, use of fork.*")
    return before


def show_devices(before: Mapping[str, str | None]) -> None:
    """Let the model see the accelerators; torch has not looked for them yet."""
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def hide_metal() -> None:
    """Let torch say that there is no Metal: it does not work in a forked process."""
    if sys.platform == "darwin":
        import torch

        torch.backends.mps.is_available = lambda: False
        torch.backends.mps.is_built = lambda: False


def enter_cell(results: int, output: int, inherited: Iterable[int]) -> int:
    """Cut this process off from the fork server; returns where its results are to be written.

    `inherited` are the server's own descriptors, those of other jobs among them.
    """
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for descriptor in inherited:
        with suppress(OSError):
            os.close(descriptor)
    lowest = _FIRST_RESULT_DESCRIPTOR + random.SystemRandom().randrange(_RESULT_DESCRIPTORS)
    hidden = fcntl(results, F_DUPFD_CLOEXEC, lowest)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, standard in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, standard)
    for descriptor in (nothing, output, results):
        os.close(descriptor)
    # Line by line, so that a crash loses nothing; and no character can make a print fail.
    sys.stdout = _text_stream(1)
    sys.stderr = _text_stream(2)
    # A crash of the interpreter then names the user's line in the captured output.
    faulthandler.enable(file=2, all_threads=False)
    return hidden


def _text_stream(descriptor: int) -> TextIOWrapper:
    return open(
        descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def limit_memory() -> None:
    """Let a model that is built at full size fail here, before the machine runs out of memory.

    The limit is half of the machine's memory above what is mapped already, which with torch's
    libraries can be some GiB of addresses.  macOS does not keep such limits.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, ValueError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
        page = os.sysconf("SC_PAGE_SIZE")
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * page
        limit = mapped + os.sysconf("SC_PHYS_PAGES") * page // 2
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
