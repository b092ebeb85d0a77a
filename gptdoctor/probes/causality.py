"""Probe causality: whether later tokens move the outputs of earlier positions, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gptdoctor.core.measurements.causality import Causality, FutureRun
from gptdoctor.core.measurements.information import SEEDS
from gptdoctor.probes.instruments.blame import (
    Blame,
    Watched,
    blame_for_nothing,
    blame_of,
    watched,
)
from gptdoctor.probes.instruments.caller_masks import caller_mask
from gptdoctor.probes.instruments.lengths import lengths_for, works_at
from gptdoctor.probes.instruments.look_ahead import (
    is_called_causal,
    is_prefix,
    look_ahead_reason,
)
from gptdoctor.probes.instruments.requirements import require_any_size, require_forward
from gptdoctor.probes.instruments.steady import NotFiniteError, Steady
from gptdoctor.probes.instruments.texts import changed_at
from gptdoctor.probes.instruments.ways import AS_CALLED, Way, ways_of, without_capacity
from gptdoctor.probes.probe import Abstention, Probe
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.specimen import Specimen

MOST_CUTS = 10  # comparisons at a length that is too long for one of each position


def moved_outputs(
    forward: Callable[[Tensor], Tensor], base: Tensor, other: Tensor, places: Sequence[list[int]]
) -> Tensor:
    """How far each output moves when the tokens at some places are exchanged.

    `forward` gives outputs [N, P, F] for texts [N, T]; `base` and `other` [T] differ at every
    position.  The result [N, P] has a row for each list of places: the largest change of the
    output at each position, relative to the largest output of all.
    """
    outputs = forward(changed_at(base, other, places))
    scale = outputs.abs().max().clamp_min(torch.finfo(outputs.dtype).tiny)
    return (outputs[1:] - outputs[:1]).abs().amax(dim=-1) / scale


@dataclass(frozen=True)
class _Leak:
    """What one run showed, and what it was measured with."""

    way: Way
    run: FutureRun
    moved: Tensor  # [T, T] relative changes, [token, output]

    @property
    def leaks(self) -> bool:
        return self.run.influence > self.way.steady.least


def measure(specimen: Specimen) -> Causality:
    """All comparisons; where something flows back, again with other seeds, and the place."""
    require_forward(specimen)
    require_any_size(specimen)
    if specimen.target.causal is False:
        raise Abstention("not causal, as pyproject.toml says")
    steady = Steady(specimen, specimen.seed)
    seen = watched(steady)
    try:
        steady.settle()
    except NotFiniteError:
        blame = blame_for_nothing(seen)
        if blame.place is None:
            raise
        return _measured(steady, seen, blame, finite=False)
    found, failed = _runs(steady, lengths_for(steady))
    leaks = [one for one in found if one.leaks]
    if leaks and specimen.target.causal is None:
        leaks = list(_without_design(leaks))
    seeds, crossed, compared = _confirmed(leaks) if leaks else (0, 0, 0)
    blame = Blame()
    if seeds == SEEDS:  # the longest text shows the most of a mask
        widest = max(leaks, key=lambda one: one.run.length)
        blame = blame_of(widest.way.steady, widest.run, seen)
    if blame.chooses and specimen.target.causal is None:
        raise Abstention("it chooses or sorts among all tokens, later ones too, which may be meant")
    return replace(
        _measured(steady, seen, blame),
        runs=tuple(one.run for one in found),
        seeds_leaking=seeds,
        lengths_leaking=crossed,
        lengths_compared=compared,
        sees_past=_sees_past(found),
        not_run=tuple(failed),
        caller_mask=_caller_mask(leaks[0]) if seeds == SEEDS else "",
        promised=_has_to_be_causal(specimen, steady),
    )


def _has_to_be_causal(specimen: Specimen, steady: Steady) -> bool:
    own_loss = "loss" in specimen.construction.returns
    return own_loss or specimen.target.causal is True or is_called_causal(specimen, steady.model)


def _caller_mask(leak: _Leak) -> str:
    """The input as which a causal mask hides the future from the usual call; "": none."""

    def hides(steady: Steady) -> bool:
        masked = _at_length(Way(how=leak.way.how, steady=steady), leak.run.length)
        return not masked.leaks and _sees_past([masked]) is True

    is_usual = leak.way.how == AS_CALLED and leak.run.length <= MOST_CUTS
    return caller_mask(leak.way.steady, leak.run.length, hides) if is_usual else ""


def _measured(steady: Steady, seen: Watched, blame: Blame, *, finite: bool = True) -> Causality:
    return Causality(
        least_influence=steady.least,
        finite=finite,
        runs=(),
        views=tuple(view.told for view in seen.views),
        seeds_leaking=0,
        lengths_leaking=0,
        lengths_compared=0,
        sees_past=None,
        place=blame.place,
        cause=blame.cause,
    )


def _runs(steady: Steady, lengths: tuple[int, ...]) -> tuple[list[_Leak], list[str]]:
    """All comparisons, and the ways of calling that could not be compared.

    Where the usual call leaks, no other is needed; Abstention where that may be meant.
    """
    found, failed = [], []
    for way in ways_of(steady.specimen, steady):
        try:
            for length in lengths[: None if way.whole else 1]:
                found.append(_at_length(way, length))  # noqa: PERF401 - some stay if one fails
        except FAILURES as error:
            # What a mask is to keep from growing without bounds may be no number in a long text:
            # a leak in a short one is a leak all the same, and no leak there says nothing.
            shown = isinstance(error, NotFiniteError) and any(one.leaks for one in found)
            if way.how == AS_CALLED and not shown:
                raise
            failed.append(f"{way.how}: {type(error).__name__}")
        if any(one.leaks for one in found):
            break
    if not found:
        raise Abstention(f"it could not be compared {'; '.join(failed)}")
    return found, failed


def _at_length(way: Way, length: int) -> _Leak:
    """One comparison at T = `length`: each token alone, or all from a position on."""
    steady = way.steady
    places = [[at] for at in range(length)] if length <= MOST_CUTS else list(_cuts(length))
    moved = _moved(steady, length, places)
    leaks = _before(moved, places).max() > steady.least
    if leaks and steady.together:  # or do the rows of the batch move each other?
        steady.together = False
        moved = _moved(steady, length, places)
        leaks = _before(moved, places).max() > steady.least
        steady.together = not leaks
    if leaks and length > MOST_CUTS:
        places = [[at] for at in range(length)]
        moved = _moved(steady, length, places)
    return _Leak(way, _told(way, length, _before(moved, places), places), moved)


def _moved(steady: Steady, length: int, places: Sequence[list[int]]) -> Tensor:
    moved = moved_outputs(steady.of_rows, *steady.two_texts(length), places)
    if moved.shape[1] == 1:
        raise Abstention("it gives one result for the whole text, and none for each position")
    return moved


def _cuts(length: int) -> Iterator[list[int]]:
    """All positions from a border on, for borders spread over the text."""
    for index in range(MOST_CUTS):
        yield list(range(1 + index * (length - 2) // (MOST_CUTS - 1), length))


def _before(moved: Tensor, places: Sequence[list[int]]) -> Tensor:
    """The changes [N, P] of the outputs that stand before all places of their row; else 0."""
    first = torch.tensor([positions[0] for positions in places])
    early = torch.arange(moved.shape[1])[None, :] < first[:, None]
    return torch.where(early, moved, 0.0)


def _told(way: Way, length: int, early: Tensor, places: Sequence[list[int]]) -> FutureRun:
    pairs = (early > way.steady.least).nonzero().tolist()
    ahead = [places[row][0] - output for row, output in pairs]
    first = min(pairs, key=lambda pair: (pair[1], places[pair[0]][0]), default=None)
    return FutureRun(
        how=way.how,
        length=length,
        influence=float(early.max()),
        output_position=None if first is None else first[1],
        token_position=None if first is None else places[first[0]][0],
        farthest_ahead=max(ahead, default=0),
    )


def _without_design(leaks: list[_Leak]) -> Iterator[_Leak]:
    """The leaks, unless something says that the model may look ahead."""
    steady = leaks[0].way.steady
    specimen = steady.specimen
    reason = look_ahead_reason(specimen, steady.model)
    prefixes = {is_prefix(one.moved > steady.least) for one in leaks}
    if not reason and len(leaks) > 1 and len(prefixes) == 1 and prefixes != {0}:
        reason = f"its first {prefixes.pop()} positions see each other, as in a prefix LM"
    if not reason and specimen.construction.returns == "no logits" and not _promises(specimen):
        reason = "it gives no logits, and nothing says that its positions may not see later ones"
    if reason:
        raise Abstention(
            f"{reason}: later tokens move earlier outputs, which may be meant"
            " (else say `causal = true` of it in pyproject.toml)"
        )
    roomy = without_capacity(steady.model)
    if roomy is None:
        yield from leaks
        return
    for one in leaks:
        wide = steady.like(steady.seed, roomy)
        if _at_length(Way(how=one.way.how, steady=wide), one.run.length).leaks:
            yield one


def _promises(specimen: Specimen) -> bool:
    name = f"{specimen.target.name} {type(specimen.model).__name__}".lower()
    return any(word in name for word in ("gpt", "causal", "decoder", "language", "lm"))


def _confirmed(leaks: list[_Leak]) -> tuple[int, int, int]:
    """With how many seeds the first leak is there, and at how many lengths of how many."""
    first = leaks[0]
    steady, length = first.way.steady, first.run.length
    lengths = {one.run.length for one in leaks}
    compared = len(lengths)
    if len(lengths) < 2:
        for near in (length + 1, length - 1, length + 2):
            if near > 1 and works_at(steady, near):
                compared += 1
                lengths |= {near} if _at_length(first.way, near).leaks else set()
                break
    seeds = 1
    for step in range(1, SEEDS):
        way = first.way.again(steady.seed + 100 * step)
        seeds += _at_length(way, length).leaks
    return seeds, len(lengths), compared


def _sees_past(found: list[_Leak]) -> bool | None:
    """Whether earlier tokens move later outputs, where each was exchanged alone."""
    for one in found:
        if one.moved.shape[0] == one.moved.shape[1]:
            return bool((one.moved.triu(1) > one.way.steady.least).any())
    return None


PROBE = Probe(name="causality", order=30, measure=measure)
