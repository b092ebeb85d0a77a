"""Forward and backward of a model without data, and what it means when they do not go through.

A crash counts only where nothing else can be its reason: no size that we filled in, no operation
that asks for data or that torch has no form of without data, and no length that we chose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from gptdoctor.core.measurements.construction import SizedCrash
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.probes.instruments.fake_tensors import FakeTensors, OutOfTimeError
from gptdoctor.specimen.at_size import at_size_of
from gptdoctor.specimen.full_sizes import FullSize
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.labels import text_of
from gptdoctor.specimen.objective import label_parameters, shifted_cross_entropy
from gptdoctor.specimen.outputs import arrange, logits_in, tensors_in
from gptdoctor.specimen.places import crash_of
from gptdoctor.specimen.specimen import Outputs, Specimen

# How torch, with data and without, says that sizes do not fit each other.
_MISMATCH = re.compile(
    r"size of tensor a|must match the (?:existing )?size|cannot be multiplied|reduction dim"
    r"|invalid for input of size|sizes of tensors must match|(?:cannot|could not) be broadcast"
    r"|attempting to broadcast|broadcastable|split_with_sizes|(?:size|shape) mismatch"
    r"|mismatch in (?:size|shape)"
    r"|expected (?:size|.* to have size|input\b.*\bto have)|given normalized_shape|einsum"
    r"|exceeds dimension size|divisible|number of sizes provided|does not broadcast"
    r"|(?:must|should) have (?:the )?same (?:size|shape|number)|dimensions? .* do(?:es)? not match",
    re.IGNORECASE,
)
# Where the file does not tell its context: more than the specimen has, and cheap.
_UNTOLD = 64


@dataclass(frozen=True, kw_only=True)
class Passes:
    """How far the passes got."""

    reached: str = "construction"
    batch: int = 0
    length: int = 0
    logits_shape: tuple[int, ...] | None = None
    largest_bytes: int | None = None
    remark: str = ""  # on what went wrong at another length


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Why they went no further; with a failure, because the user's code is wrong at this size."""

    text: str
    failure: SizedCrash | None = None


@dataclass
class _Call:
    """One call at one length, which notes how far it gets."""

    recipe: Recipe
    batch: int
    length: int
    reached: str = "construction"
    logits_shape: tuple[int, ...] | None = None
    largest_bytes: int | None = None

    def passes(self) -> Passes:
        return Passes(
            reached=self.reached,
            batch=self.batch,
            length=self.length,
            logits_shape=self.logits_shape,
            largest_bytes=self.largest_bytes,
        )


def run_passes(
    model: nn.Module, size: FullSize, specimen: Specimen, fakes: FakeTensors
) -> tuple[Passes, Stop | None]:
    """One forward and one backward at the model's own context, or at the specimen's length."""
    if specimen.recipe is None or specimen.construction.outcome != "built":
        return Passes(), Stop(text="no call of the specimen is known that works")
    recipe = at_size_of(model, specimen.recipe)
    if recipe is None:
        return Passes(), Stop(text="nothing tells how wide its other inputs are at this size")
    calls: list[tuple[_Call, Stop]] = []
    for length in _lengths(size, specimen):
        call = _Call(recipe=recipe, batch=specimen.construction.batch, length=length)
        stop = _run(call, model, size, specimen, fakes)
        if stop is None:
            remark = f"at T={calls[0][0].length}: {calls[0][1].text}" if calls else ""
            return replace(call.passes(), remark=remark), None
        calls.append((call, stop))
        if stop.failure is None and not stop.text.startswith(_TOO_LONG):
            break  # a shorter text asks for the same data
    if len({_line(each) for _, each in calls}) == 1:
        call, stop = calls[-1]
        return call.passes(), stop
    # What fails at each length in another way may fail by that length: some take their context.
    call, stop = calls[0]
    return call.passes(), replace(stop, failure=None)


def _line(stop: Stop) -> tuple[str | None, int | None] | None:
    """Where the user's code failed."""
    return None if stop.failure is None else (stop.failure.crash.path, stop.failure.crash.line)


def _lengths(size: FullSize, specimen: Specimen) -> Iterator[int]:
    """The context that the file names, then the length at which the specimen is known to work."""
    usual = specimen.construction.length
    full = size.context or _UNTOLD
    if usual > 1 and full > usual:
        yield full
    yield usual


def _run(
    call: _Call, model: nn.Module, size: FullSize, specimen: Specimen, fakes: FakeTensors
) -> Stop | None:
    """Both passes; what stops them is told."""
    model.zero_grad(set_to_none=True)
    fakes.forget()
    stage = "forward"
    try:
        with fakes.in_time():
            specimen.reseed()
            inputs = call.recipe.inputs(call.batch, call.length, specimen.seed)
            outputs = _forward(specimen, call.recipe, model, inputs)
            call.reached, call.largest_bytes = "forward", fakes.largest_bytes
            if outputs.logits is not None:
                call.logits_shape = tuple(outputs.logits.shape)
            loss = _loss(call.recipe, inputs, outputs)
            if loss is None or not loss.requires_grad:
                return Stop(text="nothing that it returns leads back to its parameters")
            stage = "backward"
            loss.backward()  # type: ignore[no-untyped-call]
            call.reached = "backward"
    except BaseException as error:  # the user's code may raise what it likes
        return stop_of(error, stage, size, specimen, fakes, call)
    return None


def _forward(
    specimen: Specimen, recipe: Recipe, model: nn.Module, inputs: Mapping[str, Any]
) -> Outputs:
    """One forward pass: with labels where the model gives its own loss for them."""
    names = label_parameters(recipe)
    own = next((each for each in specimen.own_losses if each.name in names), None)
    if own is None:
        return recipe.call(model, inputs)
    returned: list[Any] = []
    handle = model.register_forward_hook(lambda module, given, output: returned.append(output))
    try:
        loss = own.run(model, inputs)
    finally:
        handle.remove()
    raw = returned[-1] if returned else loss
    layout = recipe.layout(inputs)
    found = logits_in(raw, layout)
    logits = None if found is None else arrange(found[1], layout)
    return Outputs(logits=logits, loss=loss, raw=raw)


def _loss(recipe: Recipe, inputs: Mapping[str, Any], outputs: Outputs) -> Tensor | None:
    """The model's own loss where it gave one; else one that reaches all that it returned."""
    if outputs.loss is not None:
        return outputs.loss
    if outputs.logits is not None:
        return shifted_cross_entropy(outputs.logits, text_of(recipe, inputs))
    parts = [each for _, each in tensors_in(outputs.raw) if each.requires_grad]
    return (
        sum((each.float().sum() for each in parts[1:]), parts[0].float().sum()) if parts else None
    )


_TOO_LONG = "it takes too long"


def stop_of(
    error: BaseException,
    stage: str,
    size: FullSize,
    specimen: Specimen,
    fakes: FakeTensors,
    call: _Call | None = None,
) -> Stop:
    """Why `error` ended a stage, and whether the user's code is to blame."""
    crash = crash_of(error, specimen.root, stage)
    where = "" if crash.path is None else f" at {crash.path}:{crash.line}"
    if isinstance(error, OutOfTimeError):
        return Stop(text=f"{_TOO_LONG}{where}")
    if fakes.wants_values(error):
        return Stop(text=f"data-dependent code{where}")
    if isinstance(error, MemoryError) or "allocate memory" in crash.message:
        return Stop(text=f"memory for real data is asked for{where}")
    if fakes.is_unsupported(error):
        return Stop(text=f"torch cannot run this without data{where}: {_first_line(crash)}")
    text = f"{crash.kind} in {stage}{where}: {_first_line(crash)}"
    if not _is_users_fault(crash, error, size):
        return Stop(text=text)
    called = "" if call is None else call.recipe.code(call.batch, call.length)
    sizes = size.sizes | ({} if call is None else {"batch": call.batch, "length": call.length})
    failure = SizedCrash(build=size.code, call=called, sizes=sizes, crash=crash)
    return Stop(text=text, failure=failure)


def _is_users_fault(crash: Crash, error: BaseException, size: FullSize) -> bool:
    """Whether sizes that are all the user's own do not fit each other, or a check of theirs."""
    if crash.path is None or size.filled or not isinstance(error, Exception):
        return False
    return (
        crash.raised_there
        or crash.kind == "AssertionError"
        or _MISMATCH.search(crash.message) is not None
    )


def _first_line(crash: Crash) -> str:
    return (crash.message.strip().splitlines() or [""])[0]


# Lengths that share no divisor with each other, nor with what chunks are usually long.
_ANY_LENGTHS = (7, 11)


def takes_any_length(specimen: Specimen) -> bool:
    """Whether the specimen runs at lengths that nothing recommends.

    Where it does not, the lengths that the model takes depend on its sizes, in a way that nobody
    told us.
    """
    try:
        for length in _ANY_LENGTHS:
            specimen.reseed()
            inputs = specimen.make_inputs(specimen.construction.batch, length, specimen.seed)
            specimen.call(specimen.copy(), inputs)
    except BaseException:  # the user's code may raise what it likes
        return False
    return True


def control(specimen: Specimen, fakes: FakeTensors) -> Crash | None:
    """How the specimen, which works with data, fails without; None: it does not."""
    try:
        model, inputs = specimen.copy(), specimen.inputs()
        with fakes(), fakes.in_time():
            specimen.reseed()
            specimen.loss(model, inputs).backward()  # type: ignore[no-untyped-call]
    except BaseException as error:  # the user's code may raise what it likes
        return crash_of(error, specimen.root, "forward")
    return None
