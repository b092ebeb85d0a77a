"""The process that imports torch once and forks a child for each job.

No tensor operation and no line of the user's runs here: every fork starts from a clean state.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from typing import NoReturn

from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.worker import isolation
from gptdoctor.worker.protocol import Ready
from gptdoctor.worker.search_path import only_installed
from gptdoctor.worker.server_loop import NO_JOB, Run, ServerLoop
from gptdoctor.worker.stand_by import end_like

_NO_TORCH = (
    f"{sys.executable} has no torch: install it there ({sys.executable} -m pip install torch), "
    "or choose another interpreter with --python"
)


def serve(control: int, replies: int, root: str) -> NoReturn:
    """Serve the parent at the other end of `control` and `replies` until it closes them."""
    gc.disable()  # nothing here is garbage, and pages that nobody touches stay shared after a fork
    devices = isolation.quiet_process()
    ready, run = _prepare(root)

    def run_child(request: ExamineRequest, descriptor: int) -> NoReturn:
        if request.devices:
            isolation.show_devices(devices)
        else:
            isolation.hide_metal()
            isolation.limit_memory()
        run(request, descriptor)

    gc.freeze()
    server = ServerLoop(control, replies, root, run_child)
    server.tell(NO_JOB, ready)
    try:
        server.run()
    except BaseException:
        traceback.print_exc()  # into the file that the parent quotes from
    finally:
        server.kill_all()
        if server.ended_like is not None:
            end_like(server.ended_like)
        os._exit(0)  # taking torch's modules apart would take longer than importing them


def _prepare(root: str) -> tuple[Ready, Run]:
    """Import all that the children need, with the user's folders off the search path."""
    with only_installed(root):
        return _import_torch()


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
    return Ready(torch=torch.__version__, python=python, error=""), run_child


def _unusable(error: Exception) -> str:
    return (
        f"{sys.executable} cannot import its torch ({type(error).__name__}: {error}): "
        "repair it, or choose another interpreter with --python"
    )


def _unreachable(request: ExamineRequest, descriptor: int) -> NoReturn:
    raise RuntimeError("a job was sent to a fork server that said it has no torch")
