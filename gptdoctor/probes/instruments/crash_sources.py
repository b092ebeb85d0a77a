"""What crashes at some sizes come of, found by failing once more and watching."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from gptdoctor.core.measurements.construction import SizedCrash
from gptdoctor.core.measurements.shapes import CrashSource, ShapeCase
from gptdoctor.probes.instruments.crash_log import failed_run
from gptdoctor.probes.instruments.module_slots import blamed_module
from gptdoctor.probes.instruments.named_shapes import nested_shape
from gptdoctor.probes.instruments.odd_shapes import first_odd
from gptdoctor.probes.instruments.shape_trace import ShapeTrace
from gptdoctor.probes.instruments.size_sources import Sizes, Source, source_of
from gptdoctor.probes.instruments.type_sources import type_source
from gptdoctor.specimen.specimen import Specimen

Inputs = Callable[[int, int], Mapping[str, Any]]
_MOST_FAILURES = 2  # of other instances that are made anew: the first ones are the plainest
_CALLED = ("batch", "length")


def crash_sources(
    specimen: Specimen,
    cases: Sequence[ShapeCase],
    traces: Mapping[Sizes, ShapeTrace],
    usual: Sequence[Sizes],
) -> Iterator[CrashSource]:
    """Where the sizes of each line come from that fails, in the first of the cases that tells.

    `usual` are the sizes of which another is chosen, to compare with.
    """
    good = next((one for one in cases if one.outcome == "ok" and one.length > 1 < one.batch), None)
    told: set[tuple[str | None, int | None]] = set()
    for case in cases:
        crash = case.crash
        if crash is None or not crash.own or (crash.path, crash.line) in told:
            continue
        source = None
        if case.batch != case.length and min(case.batch, case.length) > 1:
            sizes = case.batch, case.length
            roles = specimen.construction.sizes
            source = _source(specimen, specimen.copy, sizes, _unlike(sizes, usual), roles)
        source = source or _odd(case, good, traces)
        if source is not None and crash.path is not None and crash.line is not None:
            told.add((crash.path, crash.line))
            yield CrashSource(crash_path=crash.path, crash_line=crash.line, **vars(source))
    for one in _of_other_instances(specimen, usual):
        if (one.crash_path, one.crash_line) not in told:
            yield one


def _odd(
    case: ShapeCase, good: ShapeCase | None, traces: Mapping[Sizes, ShapeTrace]
) -> Source | None:
    """The first reshape that does not go with B and T as it does where all is well.

    Where B and T are equal there, nobody can tell one from the other.
    """
    if good is None or good.batch == good.length:
        return None
    known, sizes = (good.batch, good.length), (case.batch, case.length)
    found = first_odd(traces[known].reshapes, traces[sizes].reshapes, known, sizes)
    if found is None:
        return None
    return Source(place=found[0], kind="reshape", operation=found[1], size=0, shape=())


def _unlike(sizes: Sizes, usual: Sequence[Sizes]) -> Sizes:
    """Sizes of which both are others."""
    fitting = (each for each in usual if each[0] != sizes[0] and each[1] != sizes[1])
    return next(fitting, usual[0])


def _of_other_instances(specimen: Specimen, usual: Sequence[Sizes]) -> Iterator[CrashSource]:
    """The same for instances of other sizes, which crash at the specimen's own call."""
    failures = [one for one in specimen.construction.failures if one.crash.is_mismatch]
    if specimen.construction.outcome != "built" or specimen.remade is None:
        return
    for failure in failures[:_MOST_FAILURES]:
        crash = failure.crash
        source = _remade_source(specimen, failure, usual) if failure.call else None
        if source is not None and crash.path is not None and crash.line is not None:
            yield CrashSource(crash_path=crash.path, crash_line=crash.line, **vars(source))
            return


def _remade_source(
    specimen: Specimen, failure: SizedCrash, usual: Sequence[Sizes]
) -> Source | None:
    roles = {role: size for role, size in failure.sizes.items() if role not in _CALLED}
    sizes = failure.sizes.get("batch", 0), failure.sizes.get("length", 0)
    if specimen.remade is None or min(sizes) < 1:
        return None
    with specimen.remade(**roles) as other:
        if other is None:
            return None
        made = other.train()
        return _source(specimen, lambda: made, sizes, _unlike(sizes, usual), roles)


def _source(
    specimen: Specimen,
    copied: Callable[[], nn.Module],
    sizes: Sizes,
    other: Sizes,
    roles: Mapping[str, int],
) -> Source | None:
    def call(model: nn.Module, inputs: Mapping[str, Any]) -> object:
        specimen.reseed()
        return specimen.call(model, inputs)

    def inputs(batch: int, length: int) -> Mapping[str, Any]:
        return specimen.make_inputs(batch, length, specimen.seed)

    found = crash_source(copied, call, inputs, (sizes, other), specimen.root)
    return None if found is None or _counts_heads(found, roles) else found


def _counts_heads(source: Source, roles: Mapping[str, int]) -> bool:
    """Whether what stays is one dimension with an entry a head, as it should be.

    Then nothing is wrong with it but where it is met.  A mask as wide and as long as there are
    heads, on the other hand, was made of the wrong size.
    """
    once = source.shape.count(source.size) == 1
    plain = source.kind == "constant" and not source.written
    return plain and once and source.size == roles.get("heads")


def crash_source(
    copied: Callable[[], nn.Module],
    call: Callable[[nn.Module, Mapping[str, Any]], object],
    inputs: Inputs,
    sizes: tuple[Sizes, Sizes],
    root: str,
) -> Source | None:
    """Where the shapes go wrong that make a call fail at the first of two `sizes` (B, T).

    `copied` gives the model anew, `inputs` what it is called with at a B and T.  None: nothing
    but the line that fails is known.
    """
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would name our frame for the user's
        model = copied()
        first = failed_run(lambda: call(model, inputs(*sizes[0])), root)
        if first.failed is None:
            return _nested(first.error, root)  # torch refused it before it was an operation
        found = type_source(first, model)
        if found is not None:
            return found
        second = failed_run(lambda: call(copied(), inputs(*sizes[1])), root)
        found = source_of(first, second, sizes[0], root)
        if found is not None:
            return found
        return blamed_module(model, first.modules, lambda one: call(one, inputs(*sizes[0])), root)


def _nested(error: BaseException | None, root: str) -> Source | None:
    """The shape with a shape in it."""
    found = nested_shape(error, root)
    if found is None:
        return None
    return Source(place=found[0], kind="nested-shape", operation=found[1], size=0, shape=())
