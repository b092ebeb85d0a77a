"""The process that imports torch once and forks a child for each job.

No tensor operation and no line of the user's runs here: every fork starts from a clean state.
"""

from __future__ import annotations

import gc
import os
import traceback
from typing import NoReturn

from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.worker import isolation
from gptdoctor.worker.limits import limit_memory
from gptdoctor.worker.prepare_torch import prepare_torch
from gptdoctor.worker.server_loop import NO_JOB, ServerLoop
from gptdoctor.worker.stand_by import end_like


def serve(control: int, replies: int, root: str) -> NoReturn:
    """Serve the parent at the other end of `control` and `replies` until it closes them."""
    gc.disable()  # nothing here is garbage, and pages that nobody touches stay shared after a fork
    devices = isolation.quiet_process()
    ready, run = prepare_torch(root)

    def run_child(request: ExamineRequest, descriptor: int) -> None:
        if request.devices:
            isolation.show_devices(devices)
        else:
            isolation.hide_metal()
            isolation.without_seeds_of_devices()
            limit_memory(request.memory_bytes)
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
