"""All probes on a live model, in the user's own process."""

from __future__ import annotations

import gc
import io
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic, process_time
from typing import Any

import torch
from torch import nn

from gptdoctor.core.diagnosis import GIVEN
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.record import Ending, Measured, ModelRecord, Unmeasured
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.integrations.given_inputs import given_inputs
from gptdoctor.integrations.given_model import Clock, OutOfTime, copied, size_of
from gptdoctor.integrations.untouched import untouched
from gptdoctor.probes.chosen import chosen_probes
from gptdoctor.probes.probe import Abstention, Probe
from gptdoctor.specimen.build import specimen_from
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.index_guard import guarded
from gptdoctor.specimen.instances import Instance
from gptdoctor.specimen.on_device import device_of
from gptdoctor.specimen.places import told
from gptdoctor.specimen.specimen import Specimen
from gptdoctor.worker.child import not_built, seed_everything, why_not_built
from gptdoctor.worker.job import OUTPUT_BYTES
from gptdoctor.worker.recorder import Lines, as_executed, record_lines

# What only a model that was built small can be asked: this one has the size it has.
NOT_ASKED = ("full-size",)
# Models beyond this have matrices in which more than one thread finds work.
TINY_PARAMETERS = 5_000_000


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the user handed over: the model and, if any, the inputs of its call."""

    model: nn.Module
    inputs: tuple[Any, ...]
    named: dict[str, Any]


def run_probes(given: Given, request: ExamineRequest) -> ModelRecord:
    """The measurements of a copy of the model; whatever happens, the rest of the process is as
    it was.  Only what the user himself does (Ctrl-C) ends it early.
    """
    started = monotonic()
    tiny = size_of(given.model) < TINY_PARAMETERS
    with untouched(one_thread=tiny) as printed, guarded(device_of(given.model)):
        clock = Clock(request.timeout_seconds)
        model = copied(given.model, clock)
        found = []
        for one in _measurements(given, model, request, clock):
            found.append(one)
            if not tiny:
                gc.collect()  # copies of modules are in circles, and stay until they are looked for
    return ModelRecord(
        target=request.target,
        measured=tuple(one for one in found if isinstance(one, Measured)),
        unmeasured=tuple(one for one in found if isinstance(one, Unmeasured)),
        ending=Ending(kind="finished", stage="", detail=""),
        output=_beginning(printed),
        seconds=monotonic() - started,
        torch=torch.__version__,
        python=platform.python_version(),
    )


def _beginning(printed: io.StringIO) -> str:
    return printed.getvalue()[:OUTPUT_BYTES]


def _measurements(
    given: Given, model: nn.Module, request: ExamineRequest, clock: Clock
) -> Iterator[Measured | Unmeasured]:
    """The construction, then each probe in turn."""
    seed_everything(request.seed)
    with record_lines(request.root) as lines:
        construction, specimen = _called(given, model, request)
    yield Measured(probe="construction", measurement=construction, executed=as_executed(lines))
    for probe in chosen_probes(request.probes, request.without, fast=request.fast):
        if isinstance(probe, Unmeasured):
            yield probe
        elif specimen is None:
            yield Unmeasured(probe=probe.name, reason=why_not_built(construction))
        else:
            yield _probed(probe, specimen, request, clock)


def probe_name(probe: Probe | Unmeasured) -> str:
    """The name of a probe, or of one that could not be loaded."""
    return probe.name if isinstance(probe, Probe) else probe.probe


def _called(
    given: Given, model: nn.Module, request: ExamineRequest
) -> tuple[Construction, Specimen | None]:
    """The model with a call that runs it: the user's own, or one that is found."""
    instance = Instance(code=GIVEN, model=model, crash=None, note="", vocabulary=_vocabulary(model))
    if given.inputs or given.named:
        call = partial(
            given_inputs,
            entry=request.target.entry,
            arguments=given.inputs,
            named=given.named,
            seed=request.seed,
        )
        instance = Instance(**{**vars(instance), "call": call})
    try:
        return specimen_from([instance], request)
    except OutOfTime:
        return _not_called(request, model, _out_of_time(request)), None
    except FAILURES as error:
        return _not_called(request, model, told(error, request.root)), None


def _vocabulary(model: nn.Module) -> int:
    """How many ids the first table of embeddings knows, as a guess until one is met by ids."""
    tables = (one for one in model.modules() if isinstance(one, nn.Embedding))
    return next((table.num_embeddings for table in tables if table.num_embeddings > 1), 2)


def _not_called(request: ExamineRequest, model: nn.Module, why: str) -> Construction:
    nothing = not_built(request, "not-built", tried=(why,))
    return replace(nothing, build=GIVEN, parameters=size_of(model))


def _probed(
    probe: Probe, specimen: Specimen, request: ExamineRequest, clock: Clock
) -> Measured | Unmeasured:
    """What one probe measured, or why it could not."""
    recorder: AbstractContextManager[Lines] = nullcontext({})
    if probe.records_lines:
        recorder = record_lines(request.root)
    started = process_time()
    try:
        clock.check()
        seed_everything(request.seed)
        with recorder as lines:
            measurement = probe.measure(specimen)
    except OutOfTime:
        return Unmeasured(probe=probe.name, reason=_out_of_time(request))
    except Abstention as abstention:
        return Unmeasured(probe=probe.name, reason=str(abstention))
    except FAILURES as error:
        return Unmeasured(probe=probe.name, reason=told(error, request.root))
    return Measured(
        probe=probe.name,
        measurement=measurement,
        executed=as_executed(lines),
        seconds=process_time() - started,
    )


def _out_of_time(request: ExamineRequest) -> str:
    limit = f"{request.timeout_seconds:g} s"
    return f"the time limit of {limit} ran out; gptdoctor.Examiner(timeout_seconds=...) sets it"
