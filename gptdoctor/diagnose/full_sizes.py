"""What a model is at the sizes that its file names: facts for the reports, and notes."""

from __future__ import annotations

from collections.abc import Iterator

from gptdoctor.core.findings import Value
from gptdoctor.core.measurements.full_size import Configuration, FullSize
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.diagnose.reasons import crash_sentence
from gptdoctor.diagnose.words import some


def full_size_facts(full_size: FullSize) -> Iterator[tuple[str, Value]]:
    """Lists of one length, one member for each configuration; a number that is not known is 0."""
    found = full_size.configurations
    if not found:
        return
    yield "full_sizes", tuple(one.name for one in found)
    yield "parameters_full", tuple(one.parameters for one in found)
    yield "weight_bytes", tuple(one.weight_bytes for one in found)
    yield "gradient_bytes", tuple(one.gradient_bytes for one in found)
    yield "adamw_bytes", tuple(one.adamw_bytes for one in found)
    yield "largest_intermediate_bytes", tuple(one.largest_intermediate_bytes or 0 for one in found)
    yield "full_size_checks", tuple(_check(one) for one in found)


def _check(one: Configuration) -> str:
    """How far the configuration was run, and why no further."""
    call = f" at B={one.batch}, T={one.length}" if one.batch else ""
    ours = f", with {some(one.filled)} of our choice" if one.filled else ""
    if one.outcome == "ok":
        remark = f" ({one.reason})" if one.reason else ""
        return f"forward and backward run{call}{remark}{ours}"
    if one.outcome == "crashed":
        return f"fails: {one.reason}{ours}"
    if one.reached == "nothing":
        return f"not built: {one.reason}{ours}"
    if one.reached == "forward":
        return f"forward runs{call}; backward was checked on the specimen alone: {one.reason}{ours}"
    return f"shapes were checked on the specimen alone: {one.reason}{ours}"


def full_size_notes(record: ModelRecord) -> Iterator[str]:
    """Configurations of the file's own at which its code does not run, where none is a finding."""
    for measured in record.measured:
        if isinstance(measured.measurement, FullSize):
            told = measured.measurement.convicted()
            for one in measured.measurement.configurations:
                if one.failure is not None and one not in told:
                    yield (
                        f"at the sizes of its own `{one.build}` the model does not run: "
                        f"{crash_sentence(one.failure.crash)}"
                    )
