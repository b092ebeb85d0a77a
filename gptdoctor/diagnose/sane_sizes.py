"""Crashes at sizes that every model must allow, and those that may break a requirement."""

from __future__ import annotations

from collections.abc import Iterator

from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.shapes import shapes_of
from gptdoctor.diagnose.reasons import construction_of, crash_sentence, tells_of_lack

LENGTHS_SHOWN = 3


def size_crashes(record: ModelRecord) -> Iterator[tuple[str, Crash]]:
    """When the code fails and when it works, and the crash: once for each line."""
    told = set()
    for condition, crash in (*_of_construction(record), *_of_shapes(record)):
        if (crash.path, crash.line) not in told and not tells_of_lack(crash):
            told.add((crash.path, crash.line))
            yield condition, crash


def _of_construction(record: ModelRecord) -> Iterator[tuple[str, Crash]]:
    construction = construction_of(record)
    if construction is None:
        return
    shapes, built = shapes_of(record), construction.outcome == "built"
    for failure in construction.failures:
        if failure.decisive:
            yield failure.condition, failure.crash
        elif built and shapes.is_explained(failure.crash):
            yield f"as {failure.build}, and works as {construction.build}", failure.crash


def _of_shapes(record: ModelRecord) -> Iterator[tuple[str, Crash]]:
    for case in shapes_of(record).fixed_lengths()[:1]:
        if case.crash is not None:
            yield f"at B={case.batch}, T={case.length} and at other lengths", case.crash
    for case, works in shapes_of(record).failing_batches()[:1]:
        if case.crash is not None:
            sizes = f"B={case.batch}, T={case.length}"
            yield f"at {sizes}, and works at B={works.batch}, T={works.length}", case.crash


def requirements(record: ModelRecord) -> Iterator[str]:
    """Notes on what failed at sizes of which none is proven to be guilty."""
    construction = construction_of(record)
    if construction is None or construction.outcome != "built":
        return
    told = set()
    for failure in construction.failures:
        place = failure.crash.path, failure.crash.line
        known = shapes_of(record).is_explained(failure.crash)
        if not failure.decisive and not known and place not in told:
            told.add(place)
            yield (
                f"{failure.build} fails ({crash_sentence(failure.crash)}); no single size is "
                f"proven to be the cause, so its sizes may break a requirement of the model"
            )
    yield from _lengths(record, construction)


def _lengths(record: ModelRecord, construction: Construction) -> Iterator[str]:
    """A note on lengths that the model does not take."""
    shapes = shapes_of(record)
    guilty = {crash.line for _, crash in size_crashes(record)}
    refused = [
        case
        for case in shapes.cases
        if case.crash is not None and case.length > 1 and case.crash.line not in guilty
    ]
    greedy = [case for case in refused if case.crash is not None and case.crash.lacks_memory]
    if greedy:
        sizes = f"B={greedy[0].batch}, T={greedy[0].length}"
        yield f"asks for more memory than it may have (--memory) at {sizes}"
    refused = [case for case in refused if case not in greedy]
    works = sorted({case.length for case in shapes.cases if case.outcome == "ok"})
    works = works or [construction.length]
    lengths = list(dict.fromkeys(case.length for case in refused if case.length not in works))
    if lengths and refused[0].crash is not None:
        yield (
            f"takes T={_some(works)} and not T={_some(lengths)}: {crash_sentence(refused[0].crash)}"
        )


def _some(lengths: list[int]) -> str:
    return ", ".join(map(str, lengths[:LENGTHS_SHOWN]))
