"""The process that examines one model where a system cannot fork: a fresh interpreter for each.

Requests come by standard input, replies go by standard output, and what the user's code prints
goes by standard error: every system hands these three on.  They are put out of the user's reach
before anything else is imported.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import sys
import threading
import traceback
from os import _exit, write
from time import sleep
from typing import NoReturn

from gptdoctor.worker import isolation
from gptdoctor.worker.limits import limit_memory
from gptdoctor.worker.prepare_torch import prepare_torch
from gptdoctor.worker.processes import kill_own_group
from gptdoctor.worker.protocol import OWN_FAULT, Examine, decode_request, encode

_READ_BYTES = 1024 * 1024


def serve_one(root: str) -> NoReturn:
    """Say what this interpreter can do, then wait for a request, do it, and wait for the end."""
    control, replies = _put_away()
    gc.disable()  # nothing that is imported here is garbage
    try:
        devices = isolation.quiet_process()
        ready, run = prepare_torch(root)
        gc.freeze()  # nor is it searched when the model runs, as it is not in a fork
        gc.enable()
        write(replies, encode(ready))
        line = _read_line(control)
        if not line:
            _exit(0)
        request = decode_request(line)
        threading.Thread(target=_end_with_parent, args=(control,), daemon=True).start()
        if isinstance(request, Examine):
            if request.request.devices:
                isolation.show_devices(devices)
            else:
                isolation.without_seeds_of_devices()
                limit_memory(request.request.memory_bytes)
            run(request.request, replies)
            while True:
                sleep(3600)  # the parent ends this process, with all that it has started
    except BaseException:
        traceback.print_exc()  # into the job's output
    finally:
        _exit(OWN_FAULT)


def _put_away() -> tuple[int, int]:
    """Two descriptors that the user's code does not know; prints go to standard error."""
    control, replies = isolation.hidden_copy(0), isolation.hidden_copy(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  as long as the process
    isolation.open_text_streams()
    faulthandler.enable(file=2, all_threads=False)
    return control, replies


def _read_line(descriptor: int) -> bytes:
    """The parent's request; nothing where it went away."""
    line = b""
    while not line.endswith(b"\n"):
        data = os.read(descriptor, _READ_BYTES)
        if not data:
            return b""
        line += data
    return line


def _end_with_parent(control: int) -> None:
    """Wait until the parent's end of the line is closed, then end all that is here."""
    try:
        while os.read(control, 1):
            pass
    except OSError:
        return  # the user's code closed it; the parent keeps the time
    kill_own_group()
