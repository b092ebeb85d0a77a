"""GD302: the code crashes at sizes that every model must allow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from gptdoctor.core.dimensions import symbolic
from gptdoctor.core.findings import Conviction, Place, Severity, Status, Value
from gptdoctor.core.measurements.construction import Construction, SizedCrash
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.full_size import FullSize
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.shapes import CrashSource, ShapeCase, Shapes, shapes_of
from gptdoctor.defect import Defect, Proof
from gptdoctor.source.failing_calls import failing_call

CODE = "GD302"
SHAPES_SHOWN = 4  # of the tensors local to the line that fails; all of them are in the values


def read_construction(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict each crash that one size alone decides, and one that no sizes prevent."""
    if not isinstance(measurement, Construction):
        return
    for failure in measurement.failures:
        if failure.decisive and not failure.crash.lacks_memory:
            yield from _conviction("construction", failure, record)
        elif measurement.outcome == "built" and shapes_of(record).is_explained(failure.crash):
            works = measurement.build
            condition = f"as {failure.build}, and works as {works}"
            yield from _conviction("construction", failure, record, condition)
            return  # other sizes fail for the same number
    crash = measurement.crash
    if measurement.outcome != "crashed" or crash is None:
        return
    if not (crash.mixes_types or shapes_of(record).is_mismatch(crash)):
        return
    here = [one for one in measurement.failures if one.crash.line == crash.line]
    if crash.own and not measurement.lack and len(here) == len(measurement.failures) > 0:
        condition = "at all sizes that were tried"
        imports = measurement.imports
        yield from _conviction("construction", here[0], record, condition, imports)


def read_shapes(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict a crash at one batch where another works at the same length."""
    if not isinstance(measurement, Shapes):
        return
    built = next(record.told(Construction), None)
    if built is None:
        return
    for case in measurement.fixed_lengths()[:1] if built.outcome == "built" else ():
        if case.crash is not None:
            failure = _sized(built, case, case.crash)
            condition = f"at B={case.batch}, T={case.length} and at other lengths"
            yield from _conviction("shapes", failure, record, condition)
            return
    if not _is_plain(built):
        return
    told = {(one.crash.path, one.crash.line) for one in built.failures if one.decisive}
    for failed, works in measurement.failing_batches()[:1]:
        if failed.crash is not None and (failed.crash.path, failed.crash.line) not in told:
            failure = _sized(built, failed, failed.crash)
            failure = replace(failure, decisive="batch", works_at=works.batch)
            yield from _conviction("shapes", failure, record)


def _sized(built: Construction, case: ShapeCase, crash: Crash) -> SizedCrash:
    sizes = {**built.sizes, "batch": case.batch, "length": case.length}
    return SizedCrash(build=built.build, call=built.call, sizes=sizes, crash=crash)


def read_full_size(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict a default of the file's own at which its code breaks, rather than refuses."""
    if not isinstance(measurement, FullSize):
        return
    for one in measurement.convicted():
        if one.failure is not None:
            condition = f"at the sizes of its own {one.build}, and works at smaller ones"
            yield from _conviction("full-size", one.failure, record, condition)


def _is_plain(built: Construction) -> bool:
    """Whether the call gives nothing of which the form was a guess, be it a mask or a picture."""
    plain = ("ids", "positions", "labels")
    return all(one.kind in plain or not one.shape for one in built.inputs)


def _conviction(
    probe: str,
    failure: SizedCrash,
    record: ModelRecord,
    condition: str | None = None,
    imports: tuple[str, ...] = (),
) -> Iterator[Conviction]:
    crash, condition = failure.crash, condition or failure.condition
    if crash.path is None or crash.line is None:
        return
    shapes = _named(crash, failure.sizes)
    told = f" Tensors there: {'; '.join(shapes[:SHAPES_SHOWN])}." if shapes else ""
    told = f"{_literal(failure)}{told}"
    source = shapes_of(record).source_of(crash.path, crash.line)
    here = Place(path=crash.path, symbol=crash.symbol, line=crash.line)
    elsewhere = source is not None and source.place != here
    at = f"at {crash.path}:{crash.line}" if elsewhere else "here"
    yield Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=probe,
        place=here if source is None else source.place,
        message=(
            f"{_blamed(source)}The {_stage(crash)} fails {at} {condition}: "
            f"{crash.kind}: {_first_line(crash.message)}.{told}"
        ),
        values={
            "fails": condition,
            "error": f"{crash.kind}: {crash.message}",
            "shapes": shapes,
            "build": failure.build,
            "call": failure.call,
            "stage": crash.stage,
            **({"imports": imports} if imports else {}),
        },
        symptom=True,
    )


def _blamed(source: CrashSource | None) -> str:
    """What is wrong at the place that the sizes come from, as a sentence."""
    if source is None:
        return ""
    operation, shape = source.operation, list(source.shape)
    told = {
        "constant": f"{operation} makes a size of {source.size} here whatever it is given",
        "lost-dimension": f"{operation} takes a dimension away here, and makes {shape}",
        "missing-dimension": f"{operation} is given a tensor {shape} that lacks a dimension",
        "exchanged": f"{operation} puts the time before the batch here",
        "reshape": f"{operation} makes another form here than at the sizes that work",
        "transposed-weight": f"the two sizes of this {operation} of {shape} are exchanged",
        "nested-shape": f"the shape that {operation} is given holds another one: a `*` is missing",
        "type": f"{operation} makes numbers of another type here than the model's weights have",
        "batch-first": f"this {operation} takes the other one of batch and time for the first",
    }[source.kind]
    return f"{told[0].upper()}{told[1:]}. "


def _named(crash: Crash, sizes: Mapping[str, int]) -> tuple[str, ...]:
    """The shapes with their dimensions named; tensors of the line that fails come first."""
    words = set(re.findall(r"\w+", crash.statement))
    shapes = sorted(crash.shapes, key=lambda shape: shape.partition(" ")[0] not in words)
    return tuple(symbolic(shape, sizes) for shape in shapes)


def _literal(failure: SizedCrash) -> str:
    """What a number in the failing line is, where it is the very size at which the line works."""
    numbers = {int(number) for number in re.findall(r"(?<![\w.])\d+(?![\w.])", _code(failure))}
    works = failure.works_at
    if not failure.decisive or works not in numbers or works < 2:  # 0 and 1 are dimensions
        return ""
    noun = {"kv_heads": "key-value heads"}.get(failure.decisive, failure.decisive)
    return f" The line holds the number {works}: the {noun} of the call that works."


def _code(failure: SizedCrash) -> str:
    """The failing line without its comment; a "#" in a text is rare there, and harmless."""
    return failure.crash.statement.partition("#")[0]


def _stage(crash: Crash) -> str:
    return "forward pass" if crash.stage == "forward" else crash.stage


def _first_line(message: str) -> str:
    return next(iter(message.strip().splitlines()), "").rstrip(".")


def _test(values: Mapping[str, Value]) -> str:
    """The call at those sizes; what is read from a file's own default is too large for a test."""
    fails = str(values.get("fails", ""))
    sizes = re.match(r"at B=(\d+), T=(\d+)", fails)
    if sizes is not None:
        batch, length = sizes.groups()
        return f"run(build(), random_ids(batch={batch}, length={length}))\n"
    if fails.startswith("at the sizes of its own"):
        return ""
    return failing_call(values, called=values.get("stage") != "construction")


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class FadingReader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        batch, length = ids.shape
        x = self.embedding(ids)
        weight = torch.linspace(0.5, 1.0, batch)
        logits = self.head((x * weight[None, :, None]).cumsum(dim=1))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="crash-at-sane-sizes",
    severity=Severity.HIGH,
    summary="The code crashes at sizes that every model must allow.",
    explanation=(
        "The model runs with one head, with as many key-value heads as heads, with one layer or "
        "where batch size and length are equal, and fails where they differ: two dimensions that "
        "agree by chance were taken for one another. A check of the model's own that states a "
        "requirement is not meant, nor is a length that it cannot take. Or it fails at all sizes, "
        "because two dimensions do not fit whatever they are, or because float32 meets the "
        "bfloat16 that its own configuration asks for. The text does not show this; only a run "
        "does."
    ),
    harm=(
        "Training stops at the first batch of another size, or as soon as the model is built with "
        "the sizes that it was meant for."
    ),
    confirmed_by=(
        "The model is built and called with sizes that differ from each other. Where that fails "
        "and other sizes work, one size at a time is changed from those that work, and the same "
        "call is run again: a crash that comes with that one change confirms it. The probe shapes "
        "does the same with batch sizes. The probe full-size runs the model, without data, at the "
        "sizes of its own default. A number in the text that fits one set of sizes alone confirms "
        "it too. The line is the one that a watched run shows to have made the size that does not "
        "fit: a constant where the length of the text is due, a reduction that loses its "
        "dimension, a layer that works with its sizes exchanged. Sizes that do not fit whatever "
        "they are confirm it as well, and so do numbers of two types that meet; a crash that comes "
        "with some sizes and that no single one explains is a note."
    ),
    sick=SICK,
    healed=SICK.replace("1.0, batch)", "1.0, length)"),
    convicts={
        "construction": read_construction,
        "shapes": read_shapes,
        "full-size": read_full_size,
    },
    # Two dimensions that are taken for one another mix rows and positions where they agree, and
    # what fits by chance at the one size that works may be no number there.
    explains=("GD801", "GD802", "GD902", "GD903"),
    proof=Proof(test=_test),
)
