"""Probe full-size: the model at the sizes that its own file names, without allocating it.

All happens in a copy of the process, on tensors that have no data: nothing that is built, cached
or broken there reaches the specimen.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn

from gptdoctor.core.measurements.full_size import DEFAULT, Configuration, FullSize
from gptdoctor.probes.instruments.apart import Limits, Send, run_apart
from gptdoctor.probes.instruments.fake_tensors import FakeTensors, NoFakeTensorsError
from gptdoctor.probes.instruments.full_passes import (
    Passes,
    Stop,
    control,
    run_passes,
    stop_of,
    takes_any_length,
)
from gptdoctor.probes.probe import Abstention, Probe
from gptdoctor.specimen.full_sizes import FullSize as Size
from gptdoctor.specimen.places import told
from gptdoctor.specimen.specimen import Specimen

# A configuration with less than this many times the specimen's parameters shows nothing that the
# specimen does not.
_LARGER = 4
# Seconds of the processor after which no further configuration is begun; one of 175 thousand
# million parameters takes two.
_ENOUGH = 4.0
# The rest is for code that does not come back to us: 1 GiB is four times what such a run takes,
# and far from the size of anything that would be worth a run without data.
_LIMITS = Limits(seconds=40.0, processor_seconds=12, memory_bytes=1 << 30)


def parameter_bytes(model: nn.Module) -> tuple[int, int, int]:
    """Bytes of the weights, of their gradients, and of AdamW's state.

    Weights that are used twice count once.  Gradients and the two moments are kept for what is
    trained, in the dtype of the parameter, as torch's AdamW does: for fp32 this is 4, 4 and 8
    bytes for each weight.
    """
    weights = [parameter.numel() * parameter.element_size() for parameter in model.parameters()]
    trained = [
        parameter.numel() * parameter.element_size()
        for parameter in model.parameters()
        if parameter.requires_grad
    ]
    return sum(weights), sum(trained), 2 * sum(trained)


def measure(specimen: Specimen) -> FullSize:
    """Every configuration that is larger than the specimen."""
    if specimen.full_sizes is None:
        raise Abstention("the model was given, and not built from the sizes in its file")
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        raise Abstention("it runs in a copy of the process, and one that has used CUDA has none")
    started = time.perf_counter()
    try:
        FakeTensors()
    except NoFakeTensorsError as error:
        raise Abstention(str(error)) from error
    sent, ending = run_apart(lambda send: _all(specimen, send), _LIMITS)
    troubles = [each for each in sent if isinstance(each, str)]
    # A later word on the same configuration is a better one.
    found = {each.name: each for each in sent if isinstance(each, Configuration)}
    late = ending or "it took too long"
    return FullSize(
        specimen_parameters=specimen.construction.parameters,
        configurations=tuple(
            replace(each, reason=late) if each.outcome == "stopped" and not each.reason else each
            for each in found.values()
        ),
        seconds=time.perf_counter() - started,
        stopped="; ".join((*troubles, ending)) if ending else "; ".join(troubles),
    )


def _all(specimen: Specimen, send: Send) -> None:
    """Send what is found of each configuration, as soon as it is."""
    assert specimen.full_sizes is not None  # noqa: S101 - asked by `measure`
    # The user's code may have given torch more of them, which are not in this copy: the specimen
    # runs here with data as well, and would wait for them.
    torch.set_num_threads(1)
    fakes = FakeTensors()
    fakes.warm_up()
    end = time.process_time() + _ENOUGH
    with specimen.full_sizes() as sizes:
        while time.process_time() < end:
            try:
                with fakes():
                    size = next(sizes, None)
            except BaseException as error:  # the user's functions may raise what they like
                send(told(error, specimen.root))
                return
            if size is None:
                return
            for configuration in _one(size, specimen, fakes):
                send(configuration)


def _one(size: Size, specimen: Specimen, fakes: FakeTensors) -> Iterator[Configuration]:
    """What is known of one configuration after its construction, and after its passes."""
    specimen.reseed()
    with fakes():
        model, stop = _made(size, specimen, fakes)
    # What is named may be for another model; the default is not.
    if stop is not None and (size.name == DEFAULT or stop.failure is not None):
        yield _configuration(size, Passes(reached="nothing"), _checked(stop, specimen), None)
    if model is None or _count(model) < _LARGER * specimen.construction.parameters:
        return
    yield _configuration(size, Passes(), Stop(text=""), model)
    with fakes():
        passes, stop = run_passes(model.train(), size, specimen, fakes)
    yield _configuration(size, passes, _checked(stop, specimen), model)


def _made(
    size: Size, specimen: Specimen, fakes: FakeTensors
) -> tuple[nn.Module | None, Stop | None]:
    """The model without data, or what kept it from being made; neither: it is no model."""
    try:
        with fakes.in_time():
            made = size.make()
            if isinstance(made, nn.Module):
                _count(made)
                return made, None
    except BaseException as error:  # the user's constructor may raise what it likes
        return None, stop_of(error, "construction", size, specimen, fakes)
    return None, None


def _checked(stop: Stop | None, specimen: Specimen) -> Stop | None:
    """The stop, as a crash only where neither the length nor the lack of data can be to blame."""
    if stop is None or stop.failure is None:
        return stop
    if stop.failure.call and not takes_any_length(specimen):
        return replace(stop, failure=None)
    same = control(specimen, FakeTensors(known=False))
    if same is None or same.statement != stop.failure.crash.statement:
        return stop
    return replace(stop, failure=None, text=f"without data the specimen fails too: {stop.text}")


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _configuration(
    size: Size, passes: Passes, stop: Stop | None, model: nn.Module | None
) -> Configuration:
    weights, gradients, moments = (0, 0, 0) if model is None else parameter_bytes(model)
    crashed = stop is not None and stop.failure is not None
    return Configuration(
        name=size.name,
        build=size.code,
        filled=size.filled,
        outcome="ok" if stop is None else "crashed" if crashed else "stopped",
        reached=passes.reached,
        reason=passes.remark if stop is None else stop.text,
        parameters=0 if model is None else _count(model),
        weight_bytes=weights,
        gradient_bytes=gradients,
        adamw_bytes=moments,
        batch=passes.batch,
        length=passes.length,
        logits_shape=passes.logits_shape,
        largest_intermediate_bytes=passes.largest_bytes,
        failure=None if stop is None else stop.failure,
    )


# Last: the other probes are worth more when a limit of time ends the examination.
PROBE = Probe(name="full-size", order=100, measure=measure, records_lines=False)
