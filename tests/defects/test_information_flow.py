"""GD801 to GD809: what the measurements have to show before a rule speaks."""

from __future__ import annotations

from dataclasses import replace

from gptdoctor.core.findings import Conviction, Status
from gptdoctor.core.measurements.batch_isolation import BatchIsolation
from gptdoctor.core.measurements.causality import AttentionView, Causality, FutureRun
from gptdoctor.core.measurements.context_use import ContextUse
from gptdoctor.core.measurements.information import FlowPlace
from gptdoctor.core.measurements.padding import PaddedSide, Padding
from gptdoctor.core.measurements.record import Measured
from gptdoctor.core.measurements.repeated_calls import KeptState, RepeatedCalls
from gptdoctor.defects.information_flow.batch_leak import read_rows
from gptdoctor.defects.information_flow.context_blind import read_context
from gptdoctor.defects.information_flow.future_leak import read_causality as read_future
from gptdoctor.defects.information_flow.misplaced_mask import read_causality as read_mask
from gptdoctor.defects.information_flow.nondeterministic_evaluation import read_calls as read_chance
from gptdoctor.defects.information_flow.order_blind import read_order
from gptdoctor.defects.information_flow.padding_leak import read_padding
from gptdoctor.defects.information_flow.state_left_over import read_calls as read_state
from gptdoctor.report.amounts import Values
from gptdoctor.report.sentences.information_flow import SENTENCES
from tests.defects.records import NO_RECORD

PLACE = FlowPlace(path="model.py", symbol="Attention.forward", line=7, operation="softmax")
RUN = FutureRun(
    how="as called",
    length=7,
    influence=0.2,
    output_position=0,
    token_position=1,
    farthest_ahead=1,
)
LEAKS = Causality(
    least_influence=1e-5,
    finite=True,
    runs=(RUN,),
    views=(AttentionView(place=PLACE, pattern="ahead", ahead=1),),
    seeds_leaking=3,
    lengths_leaking=2,
    lengths_compared=2,
    sees_past=True,
    place=PLACE,
    cause="its mask lets each position see 1 position ahead",
)
CAUSAL = replace(
    LEAKS,
    runs=(replace(RUN, influence=0.0, output_position=None, token_position=None),),
    views=(AttentionView(place=PLACE, pattern="causal", ahead=0),),
    seeds_leaking=0,
    place=None,
    cause="",
)
MIXES = BatchIsolation(
    batch=3,
    length=7,
    least_influence=1e-5,
    least_against_one=1e-3,
    from_others=0.1,
    to_others=0.2,
    against_one=0.1,
    seeds_leaking=3,
    lengths_leaking=2,
    lengths_compared=2,
    place=PLACE,
)
BLIND = ContextUse(
    length=7,
    precision="float64",
    least_influence=1e-12,
    context=0.0,
    order=0.0,
    least_order=1e-5,
    mixes_by=("Attention",),
    positions=("wpe.weight",),
    positions_influence=0.5,
    weighs_alike=None,
    orders_itself=False,
    seeds=3,
    context_place=PLACE,
    order_place=PLACE,
)
PADDED = Padding(
    mask="attention_mask",
    length=7,
    least_influence=1e-5,
    promised="one",
    sides=(PaddedSide(side="left", padded=3, real_is_one=0.3, real_is_zero=0.0),),
    seeds_leaking=3,
    place=PLACE,
)
CHANGES = RepeatedCalls(
    least_change=1e-5,
    after_another_call=0.1,
    with_equal_numbers=0.0,
    with_other_numbers=0.0,
    seeds_changing=3,
    chance=None,
    states=(KeptState(module="memory", name="last", place=PLACE),),
    resets=(),
)


def statuses(found: object) -> list[Status]:
    """The status of each conviction."""
    return [one.status for one in list(found)]  # type: ignore[call-overload]


def told(conviction: Conviction) -> str:
    """The sentence of a conviction."""
    sentence = SENTENCES[conviction.rule](Values(conviction.values), conviction.status)
    assert sentence
    return sentence


def test_a_leak_counts_with_all_seeds_and_at_two_lengths() -> None:
    """One seed or one length may be chance; no leak refutes."""
    (found,) = read_future(LEAKS, NO_RECORD)
    assert found.status is Status.CONFIRMED
    assert found.place is not None
    assert found.place.line == 7
    assert "exactly 1 position ahead" in told(found)
    assert "token at position 1 moves the output at position 0" in told(found)
    for weak in (replace(LEAKS, seeds_leaking=2), replace(LEAKS, lengths_leaking=1)):
        assert statuses(read_future(weak, NO_RECORD)) == []
    assert statuses(read_future(CAUSAL, NO_RECORD)) == [Status.REFUTED]
    one_length = replace(LEAKS, lengths_leaking=1, lengths_compared=1)
    assert statuses(read_future(one_length, NO_RECORD)) == [Status.CONFIRMED]


def test_a_leak_that_mixes_rows_is_told_once() -> None:
    """At the same statement the rows are the root."""
    record = replace(NO_RECORD, measured=(Measured(probe="batch-isolation", measurement=MIXES),))
    assert statuses(read_future(LEAKS, record)) == []
    elsewhere = replace(LEAKS, place=replace(PLACE, line=9))
    assert statuses(read_future(elsewhere, record)) == [Status.CONFIRMED]


def test_a_misplaced_mask_is_told_instead_of_the_leak() -> None:
    """Turned round, never itself, or so that nothing is left to see."""
    turned = replace(LEAKS, views=(AttentionView(place=PLACE, pattern="only later", ahead=6),))
    assert statuses(read_mask(turned, NO_RECORD)) == [Status.CONFIRMED]
    assert statuses(read_future(turned, NO_RECORD)) == []
    selfless = replace(CAUSAL, views=(AttentionView(place=PLACE, pattern="never itself", ahead=0),))
    assert statuses(read_mask(selfless, NO_RECORD)) == [Status.CONFIRMED]
    nothing = replace(CAUSAL, finite=False, runs=(), views=(), place=PLACE)
    (found,) = read_mask(nothing, NO_RECORD)
    assert "not finite" in told(found)
    assert statuses(read_future(nothing, NO_RECORD)) == []
    assert statuses(read_mask(LEAKS, NO_RECORD)) == []
    assert statuses(read_mask(CAUSAL, NO_RECORD)) == [Status.REFUTED]
    # what only one attention of a causal model shows is no harm of its own
    backward = replace(CAUSAL, views=(AttentionView(place=PLACE, pattern="only later", ahead=6),))
    assert Status.CONFIRMED not in statuses(read_mask(backward, NO_RECORD))


def test_rows_that_mix_are_told_in_both_directions_and_against_one() -> None:
    """Each alone is enough; rounding is not."""
    (found,) = read_rows(MIXES, NO_RECORD)
    assert "moves by up to 10%" in told(found)
    apart = replace(MIXES, from_others=3e-7, to_others=0.0, against_one=5e-7, seeds_leaking=0)
    assert statuses(read_rows(apart, NO_RECORD)) == [Status.REFUTED]
    alone = replace(apart, against_one=0.5, seeds_leaking=3)
    assert statuses(read_rows(alone, NO_RECORD)) == [Status.CONFIRMED]
    assert statuses(read_rows(replace(MIXES, seeds_leaking=2), NO_RECORD)) == []


def test_blindness_needs_something_that_could_see() -> None:
    """A table of word pairs is no defect, nor is what a misplaced mask does to the last output."""
    (found,) = read_context(BLIND, NO_RECORD)
    assert "6 tokens before it" in told(found)
    assert statuses(read_context(replace(BLIND, mixes_by=()), NO_RECORD)) == []
    assert statuses(read_context(replace(BLIND, context=0.1), NO_RECORD)) == [Status.REFUTED]
    turned = replace(LEAKS, views=(AttentionView(place=PLACE, pattern="only later", ahead=6),))
    record = replace(NO_RECORD, measured=(Measured(probe="causality", measurement=turned),))
    assert statuses(read_context(BLIND, record)) == []


def test_order_needs_positions_that_are_held_and_tell_nothing() -> None:
    """Slopes, recurrence or a blind model explain why they need not."""
    dead = replace(BLIND, context=0.3, order=0.2, positions_influence=0.0, weighs_alike=True)
    (found,) = read_order(dead, NO_RECORD)
    assert found.status is Status.CONFIRMED
    assert "wpe.weight" in told(found)
    for healthy in (
        replace(dead, weighs_alike=False),
        replace(dead, weighs_alike=None),
        replace(dead, orders_itself=True),
        replace(dead, positions=(), positions_influence=None),
        BLIND,
    ):
        assert Status.CONFIRMED not in statuses(read_order(healthy, NO_RECORD))
    shuffled = replace(dead, order=0.0, positions_influence=0.5)
    assert statuses(read_order(shuffled, NO_RECORD)) == [Status.CONFIRMED]


def test_positions_that_are_all_the_same_are_dead_whatever_noise_does() -> None:
    """So are those that are computed and multiplied by zero."""
    flat = replace(BLIND, context=0.3, order=0.2, positions_are_flat=True, weighs_alike=True)
    (found,) = read_order(flat, NO_RECORD)
    assert found.status is Status.CONFIRMED
    assert "all rows of wpe.weight are equal" in told(found)
    zeroed = replace(
        flat,
        positions=(),
        positions_influence=None,
        positions_are_flat=False,
        positions_are_zeroed=True,
    )
    (found,) = read_order(zeroed, NO_RECORD)
    assert "multiplied by zero" in found.message
    assert "trade places" in told(found)
    for told_otherwise in (flat, zeroed):
        healthy = replace(told_otherwise, weighs_alike=False)
        assert Status.CONFIRMED not in statuses(read_order(healthy, NO_RECORD))


def test_padding_that_the_model_finds_by_its_id_is_told_with_the_id() -> None:
    """And whether the mask hides the real tokens instead."""
    by_id = replace(
        PADDED,
        mask="src",
        pad_id=0,
        sides=(PaddedSide(side="right", padded=3, real_is_one=0.2, real_is_zero=None),),
    )
    (found,) = read_padding(by_id, NO_RECORD)
    assert "padding of src (id 0)" in found.message
    assert "behind 4 real ones of src" in told(found)
    (found,) = read_padding(replace(by_id, hides_real=True), NO_RECORD)
    assert "hides the real tokens" in found.message
    still = replace(
        by_id, sides=(PaddedSide(side="right", padded=3, real_is_one=0.0, real_is_zero=None),)
    )
    (found,) = read_padding(still, NO_RECORD)
    assert found.status is Status.REFUTED
    assert "padding of src" in told(found)


def test_padding_is_judged_by_what_the_name_promises() -> None:
    """A mask turned round is told as such; a name that promises nothing allows both."""
    (found,) = read_padding(PADDED, NO_RECORD)
    assert "opposite mask" in told(found)
    assert statuses(read_padding(replace(PADDED, promised=""), NO_RECORD)) == [Status.REFUTED]
    ignored = replace(
        PADDED,
        promised="",
        sides=(PaddedSide(side="left", padded=3, real_is_one=0.3, real_is_zero=0.3),),
    )
    (found,) = read_padding(ignored, NO_RECORD)
    assert "opposite mask" not in told(found)


def test_padding_is_no_finding_where_rows_mix_or_the_future_is_seen() -> None:
    """Then it is seen with any mask."""
    for probe, root in (("batch-isolation", MIXES), ("causality", LEAKS)):
        record = replace(NO_RECORD, measured=(Measured(probe=probe, measurement=root),))
        assert statuses(read_padding(PADDED, record)) == []


def test_a_state_that_can_be_reset_is_meant() -> None:
    """And chance is no state."""
    (found,) = read_state(CHANGES, NO_RECORD)
    assert "memory.last" in told(found)
    assert statuses(read_state(replace(CHANGES, resets=("reset_cache",)), NO_RECORD)) == []
    assert statuses(read_state(replace(CHANGES, with_equal_numbers=0.1), NO_RECORD)) == []
    quiet = replace(CHANGES, after_another_call=0.0)
    assert statuses(read_state(quiet, NO_RECORD)) == [Status.REFUTED]


def test_chance_is_told_with_the_operation() -> None:
    """With other random numbers, or even with equal ones."""
    dice = replace(CHANGES, with_other_numbers=0.4, chance=replace(PLACE, operation="dropout"))
    (found,) = read_chance(dice, NO_RECORD)
    assert "dropout" in found.message
    assert "40%" in told(found)
    assert statuses(read_chance(CHANGES, NO_RECORD)) == [Status.REFUTED]
