"""Labels that say "no target": whether positions are trained on them, and who divides by them."""

from __future__ import annotations

import sys
from dataclasses import replace

import torch
from torch import Tensor, nn

from gptdoctor.core.measurements.labels import LossReading
from gptdoctor.probes.instruments.labelled_runs import Change, LabelledRun, Labeller
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.reads import source_of

USUAL = -100  # which torch leaves out by default
# A marked position is trained where it is pulled a tenth as hard as the others: penalties on all
# logits pull by far less.
_LEAST_SHARE = 0.1
# Marking k of N labels makes each other one weigh N / (N - k) as much in their mean, 1.4 times at
# the sizes here, and just as much in a sum, or in a mean over all.
_SAME_WEIGHT = 0.02
# The weights of all positions add up to one in a mean, to N or N / B in sums; smoothing and
# scaling move that by less than half.
_OF_A_MEAN = (0.5, 2.0)


def with_marks(
    reading: LossReading, labeller: Labeller, run: LabelledRun, index: int
) -> LossReading:
    """The reading with what becomes of the second half of row 0 when it is marked as no target.

    Unchanged where labels that are no tokens are refused.
    """
    mark, meant = mark_of(run)
    length = run.text.shape[1]
    change = Change(start=length // 2, stop=length, token=mark, text=False, labels=True)
    try:
        marked = labeller.run(0, change)
    except FAILURES:
        return reading
    if len(marked.pulled) != len(run.pulled):
        return reading
    behind = _behind(run.pulled[index].shape[1], reading.offset or 0, change)
    counted = _counted(marked, index, behind)
    if counted and mark in run.watch.compared and mark >= 0:
        return reading  # a token that is weighed otherwise, and no mark
    entropy = marked.entropy
    reading = replace(
        reading,
        mark=mark,
        mark_counted=counted,
        mark_lost=entropy.labels.unmarked if entropy is not None and counted else None,
        mark_ahead=_ahead(run, marked, index, change),
    )
    if counted or not meant:
        return reading
    lineage = run.watch.lineage(run.loss)
    return replace(
        reading,
        divided_by_all=_divides_by_all(run, marked, index, behind),
        averaged=lineage.averaged if lineage is not None else None,
    )


def mark_of(run: LabelledRun) -> tuple[int, bool]:
    """The label that says "no target", and whether the code itself says so.

    A code that leaves out what torch leaves out may not know of it: masks say it elsewhere.
    """
    entropy = run.entropy
    ignored = entropy.ignored if entropy is not None else None
    if ignored not in (None, USUAL):
        return ignored, True
    held = sorted(run.watch.compared)  # what is no token first
    if held:
        return held[0], True
    return USUAL, ignored == USUAL and str(USUAL) in _text_of(run.model)


def _text_of(model: nn.Module) -> str:
    module = sys.modules.get(type(model).__module__)
    return "" if module is None else source_of(module)


def _behind(positions: int, offset: int, change: Change) -> Tensor:
    """Which positions [L] of row 0 have a marked label."""
    targets = torch.arange(positions) + offset
    return (targets >= change.start) & (targets < change.stop)


def _ahead(run: LabelledRun, marked: LabelledRun, index: int, change: Change) -> int | None:
    """How far behind the first marked label of row 0 the first position is that it leaves out."""
    lost = (run.pulled[index][0] >= 0) & (marked.pulled[index][0] < 0)  # [L]
    return change.start - int(lost.nonzero()[0]) if bool(lost.any()) else None


def _counted(marked: LabelledRun, index: int, behind: Tensor) -> int:
    """How many marked positions of row 0 are trained, where they are on one token all alike."""
    tokens, strength = marked.pulled[index][0], marked.strengths[index]
    trained = behind & (tokens >= 0) & (strength[0] > _LEAST_SHARE * strength.max())
    alike = len(set(tokens[trained].tolist())) == 1
    return int(trained.sum()) if alike else 0


def _divides_by_all(
    run: LabelledRun, marked: LabelledRun, index: int, behind: Tensor
) -> bool | None:
    """Whether a mean gives the other positions no more weight when some labels are marked."""
    kept = ~behind & (run.pulled[index][0] >= 0)
    if not bool(kept.any()) or not bool(behind.any()):
        return None
    before, after = run.strengths[index][0][kept], marked.strengths[index][0][kept]
    same = bool(((after / before - 1).abs() < _SAME_WEIGHT).all())
    # A target is pulled by its weight, less the little probability that it has already.
    total = float(run.strengths[index].clamp(min=0).sum())
    low, high = _OF_A_MEAN
    return same and low < total < high
