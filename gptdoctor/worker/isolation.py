"""What the forked child gives up before the user's code runs, and what it is not shown."""

from __future__ import annotations

import faulthandler
import os
import random
import signal
import sys
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import TextIOWrapper

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


def quiet_process() -> dict[str, str | None]:
    """Set the variables of a process that imports torch; returns those of devices as they were."""
    before = {name: os.environ.get(name) for name in HIDDEN_DEVICES}
    os.environ.update(HIDDEN_DEVICES | QUIET)
    with suppress(ImportError, ValueError, OSError):
        import resource

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


def without_seeds_of_devices() -> None:
    """Have `torch.manual_seed` seed what there is, where no accelerator is shown.

    For each kind that is not there it writes down the whole stack of calls, to seed it later; that
    takes a hundred times as long as the seeding, and a model is seeded a hundred times.
    """
    import torch

    for kind in (torch.cuda, torch.xpu, torch.mtia):
        if hasattr(kind, "manual_seed_all"):  # torch 2.4 has no seeds for all of them
            vars(kind)["manual_seed_all"] = _no_seed


def _no_seed(seed: int) -> None:
    """Nothing is there to be seeded."""


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
    hidden = hidden_copy(results)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, standard in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, standard)
    for descriptor in (nothing, output, results):
        os.close(descriptor)
    open_text_streams()
    # A crash of the interpreter then names the user's line in the captured output.
    faulthandler.enable(file=2, all_threads=False)
    return hidden


def hidden_copy(descriptor: int) -> int:
    """A copy of a descriptor under a number that nobody can guess, closed where a program starts
    another one.
    """
    lowest = _FIRST_RESULT_DESCRIPTOR + random.SystemRandom().randrange(_RESULT_DESCRIPTORS)
    copies = [os.dup(descriptor)]
    while copies[-1] < lowest:  # fcntl could say it at once, and not every system has it
        copies.append(os.dup(descriptor))
    for low in copies[:-1]:
        os.close(low)
    return copies[-1]


def open_text_streams() -> None:
    """Print line by line, so that a crash loses nothing; and no character makes a print fail."""
    sys.stdout = _text_stream(1)
    sys.stderr = _text_stream(2)


def _text_stream(descriptor: int) -> TextIOWrapper:
    return open(
        descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )
