"""Family 9: what its rules read in measurements, at their thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gptdoctor.core.findings import Conviction, Status
from gptdoctor.core.measurements.attention_scale import AttentionScale, ScoredAttention
from gptdoctor.core.measurements.depth import Depth, MissingPath, Stack
from gptdoctor.core.measurements.finite_values import (
    FiniteCase,
    FiniteValues,
    Spoiled,
    Uninitialised,
)
from gptdoctor.core.measurements.initial_loss import InitialLoss, LoudPart
from gptdoctor.core.measurements.learning import Bottleneck, Learning, LearningRun
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import Measured
from gptdoctor.core.measurements.symmetry import SymmetricParameter, Symmetry
from gptdoctor.judge import judge
from gptdoctor.report.amounts import Values
from gptdoctor.report.sentences import sentence_of
from tests.defects.records import NO_RECORD


def read(probe: str, measurement: Measurement) -> list[Conviction]:
    """What all rules of the family read in one measurement, each with its sentence."""
    record = replace(NO_RECORD, measured=(Measured(probe=probe, measurement=measurement),))
    found = [one for one in judge(record) if one.rule.startswith("GD9")]
    for one in found:
        sentence = sentence_of(one.rule)
        assert sentence is not None
        assert sentence(Values(one.values), one.status) or one.status is Status.REFUTED
    return found


def statuses(found: Sequence[Conviction]) -> dict[str, str]:
    """The status by rule."""
    return {one.rule: one.status.value for one in found}


LOSS = InitialLoss(
    batches=3,
    vocabulary=97,
    uniform_nats=4.57,
    expected_nats=4.6,
    next_nats=4.6,
    logits_spread=0.2,
    loud=None,
)
LOUD = LoudPart(
    kind="weight",
    name="head.weight",
    factor=8.0,
    tied=False,
    path="model.py",
    symbol="Net.__init__",
    line=7,
    as_torch_makes_it=False,
)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "refuted"),
        ({"expected_nats": 6.8}, "refuted"),
        ({"expected_nats": 7.0}, "confirmed"),
        ({"expected_nats": 30.0, "loud": LOUD}, "confirmed"),
        ({"expected_nats": 30.0, "loud": replace(LOUD, tied=True)}, "confirmed"),
        ({"next_nats": 3.7}, "refuted"),
        ({"next_nats": 3.6}, "confirmed"),
    ],
)
def test_an_initial_loss(changes: dict[str, float | LoudPart], status: str) -> None:
    """Half as much again as ln V is off, and a fifth less of the next id."""
    found = read("initial-loss", replace(LOSS, **changes))  # type: ignore[arg-type]
    assert statuses(found) == {"GD901": status}
    if "loud" in changes:
        assert found[0].place is not None
        assert found[0].place.line == 7


def test_a_tied_table_as_torch_fills_it_is_left_alone() -> None:
    """Neither confirmed nor refuted."""
    loud = replace(LOUD, tied=True, as_torch_makes_it=True)
    assert read("initial-loss", replace(LOSS, expected_nats=30.0, loud=loud)) == []


CASE = FiniteCase(
    precision="float32", moved=False, measured=True, reason="", where="", names=(), spoiled=None
)
SPOILED = Spoiled(
    operation="sqrt", result="NaN", cause="slope", path="model.py", symbol="Net.forward", line=9
)
LOW = replace(CASE, precision="bfloat16")


def finite(*cases: FiniteCase, left_out: tuple[Uninitialised, ...] = ()) -> FiniteValues:
    """A measurement of these passes."""
    return FiniteValues(
        objective="own loss", cases=cases, uninitialised=left_out, initialisation_seen=True
    )


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ((CASE, replace(CASE, moved=True), LOW), {"GD902": "refuted", "GD909": "refuted"}),
        (
            (replace(CASE, where="gradients", names=("a", "b"), spoiled=SPOILED),),
            {"GD902": "confirmed"},
        ),
        (
            (CASE, replace(CASE, moved=True, where="loss", spoiled=SPOILED), LOW),
            {"GD902": "confirmed"},
        ),
        (
            (CASE, replace(CASE, moved=True), replace(LOW, where="loss", spoiled=SPOILED)),
            {"GD902": "refuted", "GD909": "confirmed"},
        ),
        (
            (CASE, replace(CASE, moved=True), replace(LOW, measured=False, reason="no kernel")),
            {"GD902": "refuted"},
        ),
        ((replace(CASE, measured=False, reason="no"),), {}),
    ],
)
def test_finite_values(cases: tuple[FiniteCase, ...], expected: dict[str, str]) -> None:
    """float32 decides GD902, and what is finite there alone is GD909."""
    found = read("finite-values", finite(*cases))
    assert statuses(found) == expected
    for one in found:
        if one.status is Status.CONFIRMED:
            assert one.place is not None
            assert one.place.line == 9


def test_a_weight_without_first_values_is_told_by_its_name() -> None:
    """And what it makes of the loss in this run is not told as well."""
    left_out = Uninitialised(name="gain", path="model.py", symbol="Net.__init__", line=4)
    (found,) = read("finite-values", finite(replace(CASE, where="loss"), left_out=(left_out,)))
    assert "Nothing gives gain its first values" in found.message
    assert found.place is not None
    assert found.place.line == 4


RUN = LearningRun(learning_rate=3e-3, first_loss=4.6, best_loss=0.4, steps=20, steps_to_tenth=20)
LEARNING = Learning(
    objective="own loss", batch=2, length=12, runs=(RUN,), milliseconds_per_step=1.0, crash=None
)
STUCK = replace(RUN, best_loss=4.5, steps_to_tenth=None)
NAN = replace(STUCK, best_loss=4.6, steps=1, stays_finite=False)


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ((RUN,), {"GD903": "refuted"}),
        ((STUCK, STUCK, STUCK), {"GD903": "confirmed"}),
        ((STUCK, replace(RUN, best_loss=4.1)), {"GD903": "refuted"}),
        ((replace(STUCK, steps=0),), {}),
        ((NAN, NAN, NAN), {"GD902": "confirmed"}),
        ((NAN, RUN), {"GD903": "refuted"}),
        ((replace(STUCK, first_loss=-5.0, best_loss=-5.0),), {"GD903": "refuted"}),
    ],
    ids=["learns", "stuck", "a tenth", "no step", "NaN", "NaN at one rate", "negative"],
)
def test_progress(runs: tuple[LearningRun, ...], expected: dict[str, str]) -> None:
    """A tenth of the first loss, at any rate; NaN at all of them is another rule's."""
    assert statuses(read("learning", replace(LEARNING, runs=runs))) == expected


def test_the_line_of_no_progress_is_the_bottleneck() -> None:
    """Where there is one; else the class of the model."""
    stuck = replace(LEARNING, runs=(STUCK,))
    (found,) = read("learning", stuck)
    assert found.place is not None
    assert (found.place.symbol, found.place.line) == ("Net", None)
    stop = Bottleneck(operation="relu", share=0.0, path="model.py", symbol="Net.forward", line=12)
    (found,) = read("learning", replace(stuck, bottleneck=stop))
    assert found.place is not None
    assert found.place.line == 12


STACK = Stack(
    name="blocks",
    path="model.py",
    symbol="Block",
    blocks=6,
    gradient_norms=(1.0,) * 6,
    input_norms=(1.0,) * 6,
    identity=0.9,
    bypassed=False,
    missing=None,
)
PATH = MissingPath(
    block="Block",
    attends=True,
    joins=1,
    intact=False,
    path="model.py",
    symbol="Block.forward",
    line=20,
)
LOST = replace(STACK, identity=0.01, missing=PATH)


def norms(factor: float) -> tuple[float, ...]:
    """Six norms, of which each is `factor` times the next, but for the first."""
    return (1e3, *(factor**n for n in (4, 3, 2, 1, 0)))


@pytest.mark.parametrize(
    ("stack", "confirmed"),
    [
        (STACK, set()),
        (replace(STACK, gradient_norms=norms(0.2)), set()),
        (replace(STACK, gradient_norms=norms(0.09)), {"GD904"}),
        (replace(STACK, gradient_norms=(0.0,) * 5 + (1.0,)), {"GD904"}),
        (replace(STACK, gradient_norms=norms(4.5)), set()),
        (replace(STACK, gradient_norms=norms(5.5)), {"GD905"}),
        (replace(STACK, gradient_norms=(1e9, 1.0, 1.0, 1.0)), set()),
        (replace(STACK, gradient_norms=(0.0, 1e-9, 1.0)), set()),
        (LOST, {"GD907"}),
        (replace(LOST, bypassed=True), set()),
        (replace(LOST, missing=replace(PATH, intact=True)), set()),
        (replace(LOST, missing=replace(PATH, attends=False, joins=0)), set()),
        (replace(LOST, identity=0.1), set()),
    ],
)
def test_a_stack(stack: Stack, confirmed: set[str]) -> None:
    """A tenth or five times for each block, and no input that passes."""
    found = read("depth", Depth(stacks=(stack,), deeper=True))
    assert {one.rule for one in found if one.status is Status.CONFIRMED} == confirmed


def test_what_has_no_stack_is_not_refuted() -> None:
    """Nothing was measured."""
    assert read("depth", Depth(stacks=(), deeper=False)) == []
    assert read("attention-scale", AttentionScale(attentions=())) == []


def test_symmetry() -> None:
    """One finding for each line that fills weights."""
    one = SymmetricParameter(
        name="up.weight",
        shape=(4, 4),
        value=0.5,
        moved=True,
        path="model.py",
        symbol="Net.__init__",
        line=5,
    )
    found = read(
        "symmetry",
        Symmetry(
            alike_as_built=3,
            steps=3,
            symmetric=(one, replace(one, name="down.weight"), replace(one, name="c", line=6)),
        ),
    )
    assert [each.values["parameters"] for each in found] == [("up.weight", "down.weight"), ("c",)]
    nothing = Symmetry(alike_as_built=1, steps=3, symmetric=())
    assert statuses(read("symmetry", nothing)) == {"GD906": "refuted"}


ATTENTION = ScoredAttention(
    path="model.py",
    symbol="Net.forward",
    line=8,
    head_width=16,
    factor=1.0,
    plain=True,
    evenness=0.97,
    relative_init=0.98,
)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, "confirmed"),
        ({"factor": 0.25}, "refuted"),
        ({"plain": False}, "refuted"),
        ({"evenness": 0.25}, "refuted"),
        ({"relative_init": 0.5}, "refuted"),
        ({"head_width": 4}, "refuted"),
    ],
)
def test_an_attention(change: dict[str, float], status: str) -> None:
    """A slope of one, plain on the way, and no scale in the first values."""
    attention = replace(ATTENTION, **change)  # type: ignore[arg-type]
    found = read("attention-scale", AttentionScale(attentions=(attention,)))
    assert statuses(found) == {"GD908": status}
