"""What the rules about top-k and top-p share: how a filter of tokens is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gptdoctor.core.findings import Conviction, Place, Status
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.sampling import FilterDraw, SampledMethod, Sampling
from gptdoctor.core.measurements.written_call import values_of

# The probe that every filter is judged by.
PROBE = "sampling"
# Each token that may be drawn has a share of a quarter or more: of 64 draws none misses one.
ENOUGH_ROWS = 48


# What a filter that leaves the likeliest tokens, but not as many as it should, does.
Told = Callable[[FilterDraw], str]


def read_filters(
    measurement: Measurement, rule: str, kind: str, told: Told
) -> Iterator[Conviction]:
    """Convict the filters of one kind, "top-k" or "top-p", that leave other tokens; refute others.

    `told` says what one does that leaves the likeliest tokens, and not the right number of them.
    """
    if not isinstance(measurement, Sampling):
        return
    for method in measurement.methods:
        found = [draw for draw in method.filters if draw.kind == kind]
        wrong = [draw for draw in found if _is_wrong(draw)]
        if method.greedy or any(_is_refused(draw) for draw in found):
            continue  # the likeliest token alone tells nothing of a filter
        if wrong:
            yield _conviction(rule, method, wrong[0], _words(wrong[0], told))
        elif found and all(draw.right for draw in found):
            yield _conviction(rule, method, found[0], "")


def _is_wrong(draw: FilterDraw) -> bool:
    if draw.crash is not None:
        return draw.crash.own
    return draw.rows >= ENOUGH_ROWS and not draw.right


def _is_refused(draw: FilterDraw) -> bool:
    return draw.crash is not None and not draw.crash.own


def _conviction(rule: str, method: SampledMethod, draw: FilterDraw, wrong: str) -> Conviction:
    """A confirmation with what is wrong, in words, or a refutation with ""."""
    told = wrong or "leaves the likeliest tokens"
    crash = draw.crash
    place = draw.place or method.place
    if crash is not None and crash.path is not None:
        place = Place(path=crash.path, symbol=crash.symbol, line=crash.line)
    return Conviction(
        rule=rule,
        status=Status.CONFIRMED if wrong else Status.REFUTED,
        probe=PROBE,
        place=place if wrong else method.place,
        message=f"`{method.symbol}` with {draw.parameter}={draw.value:g} {told}",
        values={
            "parameter": draw.parameter,
            "value": draw.value,
            "kept_tokens": draw.distinct_tokens,
            "kept_ranks": tuple(rank + 1 for rank in draw.ranks),
            "right_numbers": draw.may_keep,
            "rows": draw.rows,
            "error": None if crash is None else f"{crash.kind}: {crash.message}",
            **values_of(draw.written),
        },
    )


def _words(draw: FilterDraw, told: Told) -> str:
    """What the filter does, in a few words."""
    if draw.crash is not None:
        return f"fails: {draw.crash.kind}"
    if 0 not in draw.ranks:
        return "throws the likeliest token away"
    if draw.distinct_tokens > len(draw.ranks):
        return "has no effect"
    if draw.ranks != tuple(range(draw.distinct_tokens)):
        return "leaves tokens that are less likely than others that it throws away"
    return told(draw)
