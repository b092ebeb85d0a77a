"""What a process imports before it can examine models, or why it cannot."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeAlias

from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.specimen.loaded_files import loaded_files
from gptdoctor.worker.limits import kept_limits
from gptdoctor.worker.protocol import Ready
from gptdoctor.worker.search_path import only_installed

# What a child does with a request and the descriptor for its results; then it ends.
Run: TypeAlias = Callable[[ExamineRequest, int], None]

_NO_TORCH = (
    f"{sys.executable} has no torch: install it there ({sys.executable} -m pip install torch), "
    "or choose another interpreter with --python"
)


def prepare_torch(root: str) -> tuple[Ready, Run]:
    """Import all that the children need, with the user's folders off the search path."""
    with only_installed(root):
        prepared = _import_torch()
    loaded_files(root)  # each child asks, and finds the answers in memory
    return prepared


def _import_torch() -> tuple[Ready, Run]:
    python = sys.version.split()[0]
    try:
        import torch
    except ModuleNotFoundError as error:
        missing = _NO_TORCH if error.name == "torch" else _unusable(error)
        return Ready(torch=None, python=python, error=missing), _unreachable
    except Exception as error:
        return Ready(torch=None, python=python, error=_unusable(error)), _unreachable
    # Before any operation: a process with more threads hangs when it is forked.
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    from gptdoctor.worker.child import preload, run_child

    preload()
    ready = Ready(torch=torch.__version__, python=python, error="", unlimited=tuple(_unlimited()))
    return ready, run_child


def _unlimited() -> Iterator[str]:
    """What a system should keep in check, and this one does not."""
    if "memory" not in kept_limits():
        yield "limit of memory for each model"
    if not hasattr(os, "killpg"):
        yield "groups of processes: what a model's code starts and lets go may outlive it"


def _unusable(error: Exception) -> str:
    return (
        f"{sys.executable} cannot import its torch ({type(error).__name__}: {error}): "
        "repair it, or choose another interpreter with --python"
    )


def _unreachable(request: ExamineRequest, descriptor: int) -> NoReturn:
    raise RuntimeError("a job was sent to a fork server that said it has no torch")
