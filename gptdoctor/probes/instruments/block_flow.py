"""One watched call of a routed block, forward and back: what ran, what was lost, what was cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import torch
from torch import Tensor

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.routed_experts import LostRows, WrongAxis
from gptdoctor.core.measurements.routed_experts import RoutedBlock as Measured
from gptdoctor.probes.instruments.block_replay import Replay
from gptdoctor.probes.instruments.expert_watch import ExpertWatch, MemberCall
from gptdoctor.probes.instruments.nearby_statements import loop_around
from gptdoctor.probes.instruments.routing_trace import RoutedBlock
from gptdoctor.probes.instruments.score_axes import Normalised, is_uniform, what_counts
from gptdoctor.probes.instruments.score_flow import ScoreFlow
from gptdoctor.probes.instruments.stack_writes import StackWrites

_LARGEST_MATCH = 20_000_000  # numbers compared to find an expert's rows among the tokens


def watched_once(found: Measured, block: RoutedBlock, replay: Replay, root: str) -> Measured:
    """`found` with what one call of the block shows; raises NoReplay."""
    lists = (block.group.modules,) if block.group.modules is not None else ()
    flow = ScoreFlow(block, root, found.tokens)
    watch, writes = ExpertWatch(lists=lists, root=root), StackWrites(block.group, root)
    with ExitStack() as stack:
        stack.enter_context(torch.enable_grad())
        for mode in (watch, flow, *([] if lists else [writes])):
            stack.enter_context(mode)
        output = replay()
    if output.requires_grad:
        generator = torch.Generator().manual_seed(0)
        weights = torch.randn(output.shape, generator=generator).to(output)
        (output * weights).sum().backward()  # type: ignore[no-untyped-call]
    cut, cut_by = _cut(found, flow)
    return replace(
        found,
        rows_run=sum(call.rows for call in watch.calls) if lists else None,
        all_run_all=_all_run_all(found, watch.calls, flow.rows),
        lost=tuple(_lost(found, block, watch, flow)),
        cut=cut,
        cut_by=cut_by,
        wrong_axis=_wrong_axis(found, block, flow),
        merged=flow.merged,
        altered=None if lists else flow.altered,
        overwritten=writes.most,
        loop=None if found.place is None else loop_around(found.place, root),
    )


def _all_run_all(found: Measured, calls: list[MemberCall], rows: Tensor | None) -> bool:
    """Whether every expert was given every token, though few were chosen."""
    if len({call.member for call in calls}) < found.experts:
        return False
    return all(
        call.given is not None
        and call.rows == found.tokens
        and (rows is None or call.given.numel() == rows.numel())
        and (rows is None or torch.equal(call.given.detach().reshape(rows.shape), rows))
        for call in calls
    )


def _lost(
    found: Measured, block: RoutedBlock, watch: ExpertWatch, flow: ScoreFlow
) -> Iterator[LostRows]:
    """Rows that were computed for chosen tokens, and of which the output knows nothing."""
    for (place, operation), rows in flow.collided.items():
        yield LostRows(place=place, operation=operation, rows=rows)
    if watch.overwrites or flow.rows is None or found.over_tokens:
        return  # what is written over is another matter
    chosen = torch.stack([each.mask(found.experts) for each in block.choices]).any(dim=0)
    lost: dict[Place | None, int] = {}
    for call in watch.calls:
        gone = _wanted_rows(call, flow.rows, chosen) & call.lost()
        if gone.any():
            last = flow.last.get(call.source, call.place)
            lost[last] = lost.get(last, 0) + int(gone.sum())
    for where, count in lost.items():
        yield LostRows(place=where, operation="", rows=count)


def _wanted_rows(call: MemberCall, tokens: Tensor, chosen: Tensor) -> Tensor:
    """[rows] of a call: those of a token [N, D] for which this expert was chosen [N, E].

    Empty places of a tray are no tokens.
    """
    wanted = torch.zeros(call.rows, dtype=torch.bool, device=tokens.device)
    width = tokens.shape[1]
    if call.given is None or call.given.numel() != call.rows * width:
        return wanted
    given = call.given.detach().reshape(call.rows, width)
    mine = tokens[chosen[:, call.member]]
    if given.numel() * max(mine.shape[0], 1) > _LARGEST_MATCH or not mine.shape[0]:
        return wanted
    return (given[:, None] == mine[None]).all(dim=-1).any(dim=-1)


def _cut(found: Measured, flow: ScoreFlow) -> tuple[Place | None, str]:
    """Where the scores that meet the experts' results lost their gradient, and by what."""
    for origin, _ in flow.applied:
        if origin.cut is not None:
            return origin.cut
    applied = [(origin, weights) for origin, weights in flow.applied if weights.numel()]
    if applied and all(is_uniform(weights) for _, weights in applied):
        return applied[0][0].made, "constant"
    return None, ""


def _wrong_axis(found: Measured, block: RoutedBlock, flow: ScoreFlow) -> WrongAxis | None:
    """Scores that were normalised, or chosen, over something else than the experts.

    Experts that choose their tokens do so by design, unless what they chose is taken for the
    number of an expert; so do mixtures whose experts are given averages of the tokens.
    """
    if found.over_tokens:
        if flow.numbered is None:
            return None
        choice, axis = block.choice, block.choice.axis_of(found.experts)
        return WrongAxis(
            place=found.choice,
            operation=found.operation,
            over=what_counts(choice.scores, choice.dimension, axis or 0),
            rows=choice.scores.shape[choice.dimension],
        )
    wrong = [origin.wrong for origin, _ in flow.applied if origin.wrong] + flow.chosen_by
    kept = [one for one in wrong if one not in flow.dispatched]
    return _told(kept[0]) if kept else None


def _told(one: Normalised) -> WrongAxis:
    return WrongAxis(place=one.place, operation=one.operation, over=one.over, rows=one.rows)
