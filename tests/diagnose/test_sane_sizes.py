"""What crashes at sane sizes, and what may only break a requirement."""

from __future__ import annotations

import dataclasses

from gptdoctor.core.measurements.construction import SizedCrash
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.shapes import ShapeCase, Shapes
from gptdoctor.defects.shapes.crash_at_sane_sizes import read_construction
from gptdoctor.diagnose.sane_sizes import requirements, size_crashes
from tests.diagnose import cases

CRASH = Crash(
    stage="forward", kind="RuntimeError", message="sizes do not fit", path=cases.PATH,
    symbol="Net.forward", line=7,
)  # fmt: skip


def failure(decisive: str, works_at: int | None) -> SizedCrash:
    """A crash with four heads."""
    return SizedCrash(
        build="Net(heads=4)", call="model(ids)", sizes={"heads": 4, "batch": 3, "length": 7},
        crash=CRASH, decisive=decisive, works_at=works_at,
    )  # fmt: skip


def built(*failures: SizedCrash) -> ModelRecord:
    """A model that was built after these failures."""
    construction = dataclasses.replace(cases.construction(), failures=failures)
    return cases.record(cases.measured("construction", construction))


def with_shapes(*shapes: tuple[int, int, bool]) -> ModelRecord:
    """A model that was run at these batches and lengths, and whether it worked."""
    ran = tuple(
        ShapeCase(
            batch=batch, length=length, outcome="ok" if works else "crash", logits_shape=None,
            crash=None if works else CRASH,
        )
        for batch, length, works in shapes
    )  # fmt: skip
    measurement = Shapes(cases=ran, transpose_warnings=(), row_influence=None)
    return cases.record(
        cases.measured("construction", cases.construction()),
        cases.measured("shapes", measurement),
    )


def test_a_size_that_decides_is_held_against_the_code() -> None:
    """It is told with the number at which it works, and is no mere requirement."""
    record = built(failure("heads", 1), failure("", None))
    assert list(size_crashes(record)) == [("with 4 heads, and works with 1", CRASH)]


def test_sizes_of_which_none_decides_are_a_note() -> None:
    """They may break a requirement that nobody wrote down."""
    record = built(failure("", None))
    assert list(size_crashes(record)) == []
    assert [note.partition(" fails")[0] for note in requirements(record)] == ["Net(heads=4)"]


def test_a_batch_is_to_blame_where_another_works_at_the_same_length() -> None:
    """That is told, and no requirement of lengths with it."""
    record = with_shapes((3, 7, False), (5, 5, True), (3, 5, False))
    conditions = [condition for condition, _ in size_crashes(record)]
    assert conditions == ["at B=3, T=5, and works at B=5, T=5"]
    assert list(requirements(record)) == []


def test_a_length_that_no_batch_takes_is_a_note() -> None:
    """Whole chunks, or no more than there are positions for."""
    record = with_shapes((3, 7, False), (2, 8, True), (3, 8, True))
    assert list(size_crashes(record)) == []
    assert [note[:21] for note in requirements(record)] == ["takes T=8 and not T=7"]


def test_a_length_that_memory_does_not_allow_is_told_as_that() -> None:
    """It is neither a crash of the code nor a length that the code refuses."""
    greedy = dataclasses.replace(CRASH, message="can't allocate memory: you tried 3 GB")
    ran = tuple(
        ShapeCase(
            batch=3, length=length, outcome="crash" if crash else "ok", logits_shape=None,
            crash=crash,
        )
        for length, crash in ((7, None), (11, greedy))
    )  # fmt: skip
    record = cases.record(
        cases.measured("construction", cases.construction()),
        cases.measured("shapes", Shapes(cases=ran, transpose_warnings=(), row_influence=None)),
    )
    assert list(size_crashes(record)) == []
    assert list(requirements(record)) == [
        "asks for more memory than it may have (--memory) at B=3, T=11"
    ]


def test_a_number_in_the_failing_line_is_named_where_it_is_the_size_that_works() -> None:
    """Only where that is what decides, and not in a comment."""
    hard = dataclasses.replace(CRASH, statement="x = x.view(5, -1, 64)  # 3 rows")
    told = dataclasses.replace(failure("batch", 5), crash=hard)
    (found,) = read_construction(built(told).measured[0].measurement, built(told))
    assert "The line holds the number 5: the batch of the call that works." in found.message
    other = dataclasses.replace(told, works_at=3)
    (silent,) = read_construction(built(other).measured[0].measurement, built(other))
    assert "holds the number" not in silent.message
