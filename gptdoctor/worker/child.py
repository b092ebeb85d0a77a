"""One job, in a process of its own: import the file, build the model, run the probes, tell all."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from os import _exit, chdir, getpid, write
from time import process_time

import torch

from gptdoctor.core.errors import ProtocolError
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.record import OUT_OF_TIME, Measured, Unmeasured
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.probes.chosen import chosen_probes
from gptdoctor.probes.probe import Abstention, Probe
from gptdoctor.specimen.build import build_specimen
from gptdoctor.specimen.index_guard import guarded
from gptdoctor.specimen.load import Loaded, load_module
from gptdoctor.specimen.on_device import CPU, accelerator
from gptdoctor.specimen.places import told
from gptdoctor.specimen.specimen import Specimen
from gptdoctor.worker.limits import memory_lack
from gptdoctor.worker.protocol import CHANNEL_LOST, ChildReply, Finished, Stage, encode
from gptdoctor.worker.recorder import Lines, as_executed, record_lines
from gptdoctor.worker.time_limit import TooLong, time_limit

Send = Callable[[ChildReply], None]


def preload() -> None:
    """Import all that a job will need, in the fork server: no child pays for it again."""
    list(chosen_probes(()))
    seed_everything(0)  # numpy.random is imported when it is first asked for, in 20 ms


def run_child(request: ExamineRequest, descriptor: int) -> None:
    """Do the job and write its messages to `descriptor`; then this process is to end at once,
    for no exit handler or thread of the user's may hold it up.
    """
    streams = sys.stdout, sys.stderr  # the user's code may put others in their place
    send = _Sender(descriptor)
    chdir(request.root)  # where the user runs it, as far as anyone can tell
    run_job(request, send)
    for stream in streams:
        with suppress(OSError, ValueError):
            stream.flush()
    send(Finished())


class _Sender:
    """Writes messages, with functions held from before the user's code could exchange them."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._process = getpid()

    def __call__(self, message: ChildReply) -> None:
        if getpid() != self._process:
            _exit(0)  # the user's code forked, and this is the copy, come back to us
        line = encode(message)
        try:
            while line:
                line = line[write(self._descriptor, line) :]
        except OSError:
            _exit(CHANNEL_LOST)


def run_job(request: ExamineRequest, send: Send) -> None:
    """Examine one model and tell what is measured, as soon as it is."""
    seed_everything(request.seed)
    send(Stage(stage="import"))
    with record_lines(request.root, request.target) as lines:
        loaded = load_module(request)
    loading = Measured(
        probe="import-dependencies",
        measurement=loaded.dependencies(),
        executed=as_executed(lines),
        seconds=process_time(),  # the process is as old as the job
    )
    send(loading)
    with guarded(accelerator() if request.devices else CPU):
        _run_model(loaded, loading, request, send)


def _run_model(loaded: Loaded, loading: Measured, request: ExamineRequest, send: Send) -> None:
    """Build the model and run the probes; more of `loading` is told as more is imported."""
    send(Stage(stage="construction"))
    seed_everything(request.seed)
    started = process_time()
    with record_lines(request.root, request.target) as lines:
        construction, specimen = _construct(loaded, request)
    again = loaded.dependencies(construction)
    if again != loading.measurement:
        # Only building the model shows whether it needs what could not be imported.
        send(replace(loading, measurement=again))
    built = Measured(
        probe="construction",
        measurement=construction,
        executed=as_executed(lines),
        seconds=process_time() - started,
    )
    _tell(send, built)
    for probe in chosen_probes(request.probes, request.without, fast=request.fast):
        if isinstance(probe, Unmeasured):
            send(probe)
        elif specimen is None:
            send(Unmeasured(probe=probe.name, reason=why_not_built(construction)))
        else:
            _run_probe(probe, specimen, request, send)
    files = loaded.files()
    if files != again.files:  # a function imported something when a probe called it
        send(replace(loading, measurement=replace(again, files=files)))


def seed_everything(seed: int) -> None:
    """Make all that the user's code draws at random the same in every run."""
    random.seed(seed)
    torch.manual_seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % 2**32)  # it takes no more bits


def _construct(loaded: Loaded, request: ExamineRequest) -> tuple[Construction, Specimen | None]:
    """The specimen, or why there is none; a fault of ours leaves the model unexamined."""
    lack = memory_lack(request.memory_bytes, *_errors(loaded.crash))
    if loaded.crash is not None and lack:
        tried = f"its import asks for more memory than there is ({loaded.crash.message})"
        return not_built(request, "not-built", tried=(tried,), lack=lack), None
    if loaded.crash is not None and loaded.lack:
        tried = f"its import fails: {loaded.crash.message}"
        return not_built(request, "not-built", tried=(tried,), lack=loaded.lack), None
    if loaded.module is None:
        return not_built(request, "crashed", crash=loaded.crash), None
    try:
        construction, specimen = build_specimen(loaded.module, request)
        errors = (*construction.tried, *_errors(construction.crash))
        lack = memory_lack(request.memory_bytes, *errors)
        if construction.outcome == "built" or not lack:
            return construction, specimen
        return not_built(request, "not-built", tried=construction.tried, lack=lack), None
    except BaseException as error:
        return not_built(request, "not-built", tried=(told(error, request.root),)), None


def not_built(
    request: ExamineRequest,
    outcome: str,
    *,
    crash: Crash | None = None,
    tried: tuple[str, ...] = (),
    lack: str = "",
) -> Construction:
    """The construction of a model of which there is no instance."""
    return Construction(
        outcome=outcome,
        build=request.build or "",
        call="",
        entry=request.target.entry,
        parameters=0,
        vocabulary=0,
        batch=0,
        length=0,
        inputs=(),
        optional_inputs=(),
        returns="",
        crash=crash,
        tried=tried,
        lack=lack,
    )


def why_not_built(construction: Construction) -> str:
    """Why no probe could run, in the words that each of them is given."""
    crash = construction.crash
    if crash is None:
        return "not built: " + ("; ".join(construction.tried) or "no way to build it was found")
    place = f" at {crash.path}:{crash.line}" if crash.path else ""
    how = "cannot be imported" if crash.stage == "import" else "crashed"
    return f"{how}: {crash.kind}: {crash.message}{place}"


def _run_probe(probe: Probe, specimen: Specimen, request: ExamineRequest, send: Send) -> None:
    """Run one probe; whatever happens in it, the next one has its turn."""
    send(Stage(stage=probe.name))
    started = process_time()
    outcome = _outcome(probe, specimen, request)
    seconds = process_time() - started
    if isinstance(outcome, Measured):
        _tell(send, replace(outcome, seconds=seconds))
    else:
        send(replace(outcome, seconds=seconds))


def _outcome(probe: Probe, specimen: Specimen, request: ExamineRequest) -> Measured | Unmeasured:
    """What a probe measured, or why it did not."""
    recorder: AbstractContextManager[Lines] = nullcontext({})
    if probe.records_lines:
        recorder = record_lines(request.root, request.target)
    try:
        seed_everything(request.seed)
        with time_limit(probe.seconds), recorder as lines:
            measurement = probe.measure(specimen)
    except TooLong:
        return Unmeasured(probe=probe.name, reason=f"{OUT_OF_TIME} {probe.seconds:g} s")
    except Abstention as abstention:
        return Unmeasured(probe=probe.name, reason=str(abstention))
    except BaseException as error:  # the user's code may raise what it likes, SystemExit too
        reason = told(error, request.root)
        lack = memory_lack(request.memory_bytes, reason)
        return Unmeasured(probe=probe.name, reason=f"needs {lack}" if lack else reason)
    lack = memory_lack(request.memory_bytes, *_errors(getattr(measurement, "crash", None)))
    if lack:  # how far it came says nothing of the model
        return Unmeasured(probe=probe.name, reason=f"needs {lack}")
    return Measured(probe=probe.name, measurement=measurement, executed=as_executed(lines))


def _errors(crash: Crash | None) -> tuple[str, ...]:
    """A crash as one text, if there is one."""
    return () if crash is None else (f"{crash.kind}: {crash.message}",)


def _tell(send: Send, measured: Measured) -> None:
    try:
        send(measured)
    except ProtocolError as error:
        send(Unmeasured(probe=measured.probe, reason=f"gptdoctor's own fault: {error}"))
