"""Probe routed-experts: whether tokens reach the experts that were chosen, and what routers learn.

The blocks with a router are found in one forward pass; then each is called by itself, with the
inputs that it had, while the weights of one expert or of the router are changed.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.core.measurements.routed_experts import RoutedBlock as Measured
from gptdoctor.core.measurements.routed_experts import RoutedExperts
from gptdoctor.probes.expert_routing import random_objective
from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.probes.instruments.block_flow import watched_once
from gptdoctor.probes.instruments.block_replay import (
    NoReplay,
    Replay,
    captured,
    keeps_rows_apart,
    moved_by_experts,
    moved_by_weights,
)
from gptdoctor.probes.instruments.expert_groups import expert_groups
from gptdoctor.probes.instruments.own_experts import with_own_experts
from gptdoctor.probes.instruments.requirements import require_forward
from gptdoctor.probes.instruments.router_choices import FixedChoices
from gptdoctor.probes.instruments.router_pairs import compared
from gptdoctor.probes.instruments.routing_trace import RoutedBlock, RoutingTrace
from gptdoctor.probes.instruments.row_mixing import mixes_rows
from gptdoctor.probes.instruments.stacked_weights import Weight, parameter_of
from gptdoctor.probes.instruments.weights import jitter
from gptdoctor.probes.probe import Probe
from gptdoctor.specimen.specimen import Specimen

# What starts at zero, an expert's last layer or a router, would hide all effects.
JITTER = 0.05
# B and T that are tried until neither they nor B * T equal the number of experts.
SIZES = ((3, 7), (2, 11), (2, 13))
# All blocks of a model are alike in their code; one of each kind is called again.
MOST_BLOCKS = 3
# Passes more, where a router has no gradient.
MORE_BATCHES = 4
# A block is called once for each: those with the most tokens.
MOST_EXPERTS = 16
# Of this process: a fifth of what all probes may take; 16 experts of a tiny model take 0.1 s.
SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class _Traced:
    """One watched forward pass."""

    trace: RoutingTrace
    model: nn.Module
    batch: int
    length: int
    vectors: Tensor | None  # logits, or what is given in their place


def _traced(specimen: Specimen) -> _Traced:
    """A pass at sizes that no number of experts equals, or else at the ones that are known."""
    construction = specimen.construction
    known = _traced_at(specimen, construction.batch, construction.length)
    if specimen.only_at or not _is_ambiguous(known):
        return known
    for batch, length in SIZES:
        with contextlib.suppress(Exception, SystemExit):  # another probe tells of that
            found = _traced_at(specimen, batch, length)
            if not _is_ambiguous(found):
                return found
    return known


def _is_ambiguous(one: _Traced) -> bool:
    counts = {group.count for group in one.trace.groups}
    return bool(counts & {one.batch, one.length, one.batch * one.length})


def _traced_at(specimen: Specimen, batch: int, length: int) -> _Traced:
    model = jitter(specimen.copy(), JITTER, specimen.seed)
    trace = RoutingTrace(model=model, groups=tuple(expert_groups(model)), root=specimen.root)
    inputs = specimen.make_inputs(batch, length, specimen.seed)
    specimen.reseed()
    with trace:
        outputs = specimen.call(model, inputs)
    vectors = outputs.features if outputs.logits is None else outputs.logits
    return _Traced(trace=trace, model=model, batch=batch, length=length, vectors=vectors)


def _sent_back(vectors: Tensor | None) -> bool:
    """Whether a random sum of the logits could be sent back through the model."""
    if vectors is None or not vectors.requires_grad:
        return False
    try:
        random_objective(vectors).backward()  # type: ignore[no-untyped-call]
    except RuntimeError:
        return False
    return True


def _kinds(trace: RoutingTrace) -> Iterator[RoutedBlock]:
    """One block of each class of module and place of its experts."""
    seen = set()
    for block in trace.blocks():
        kind = (type(block.scope), block.place, block.choice.place)
        if kind not in seen:
            seen.add(kind)
            yield block


def largest_gradient(parameters: list[Weight]) -> float:
    """The largest absolute gradient, 0 where there is none."""
    found = [each.grad.abs().max() for each in parameters if each.grad is not None]
    return float(torch.stack(found).max()) if found else 0.0


def _with_more_batches(
    specimen: Specimen, found: Measured, block: RoutedBlock, model: nn.Module
) -> Measured:
    """The same with the largest gradients of more batches: some estimators draw theirs by lot."""
    construction = specimen.construction
    router, expert = found.router_gradient or 0.0, found.expert_gradient or 0.0
    for seed in range(specimen.seed + 1, specimen.seed + 1 + MORE_BATCHES):
        model.zero_grad(set_to_none=True)
        inputs = specimen.make_inputs(construction.batch, construction.length, seed)
        torch.manual_seed(seed)
        outputs = specimen.call(model, inputs)
        if not _sent_back(outputs.features if outputs.logits is None else outputs.logits):
            break
        router = max(router, largest_gradient(list(block.routers)))
        expert = max(expert, largest_gradient(list(block.group.parameters())))
    return replace(found, router_gradient=router, expert_gradient=expert)


def _other_gradient(specimen: Specimen, block: RoutedBlock, model: nn.Module) -> float:
    """The router's largest gradient of all that the model gives or keeps beside its logits.

    Many trainers add a balance of the load that a block returns or leaves on itself.
    """
    model.zero_grad(set_to_none=True)
    with contextlib.suppress(Exception, SystemExit):
        specimen.reseed()
        raw = specimen.call(model, specimen.inputs()).raw
        kept = (value for module in model.modules() for value in vars(module).values())
        given = [*tensors((raw, list(kept)))]
        parts = [random_objective(each) for each in given if each.grad_fn is not None]
        sum(parts, specimen.loss(model, specimen.inputs())).backward()  # type: ignore[no-untyped-call]
    return largest_gradient(list(block.routers))


def _start(block: RoutedBlock, model: nn.Module, backward: bool) -> Measured:
    """What the first pass tells of a block."""
    names = {id(module): name for name, module in model.named_modules()}
    weights = {id(each): name for name, each in model.named_parameters()}
    choice, group = block.choice, block.group
    trained = [each for each in block.routers if each.requires_grad]
    return Measured(
        name=names.get(id(block.scope), ""),
        experts_name=group.name,
        place=block.place,
        choice=choice.place,
        operation=choice.operation,
        experts=group.count,
        chosen=choice.chosen,
        over_tokens=choice.scores.shape[choice.dimension] != group.count,
        tokens=choice.scores.numel() // group.count,
        pairs=None,
        reason="",
        rows_run=None,
        rows_needed=choice.indices.numel(),
        all_run_all=False,
        lost=(),
        weight_effect=None,
        weights_kept=any(each.weights_kept for each in block.choices),
        router_gradient=largest_gradient(trained) if trained and backward else None,
        expert_gradient=largest_gradient(list(group.parameters())),
        other_gradient=None,
        cut=None,
        cut_by="",
        wrong_axis=None,
        router_parameters=_names(trained, weights),
        stacks=_names(group.stacks, weights),
        layer=group.layers - 1 if group.layers else None,
    )


def _names(held: Iterable[Weight], weights: Mapping[int, str]) -> tuple[str, ...]:
    """The names of parameters, and of those that others are parts of."""
    parameters = map(parameter_of, held)
    return tuple(weights[id(each)] for each in parameters if id(each) in weights)


def _effects(found: Measured, block: RoutedBlock, replay: Replay, seconds: float) -> Measured:
    """The same with what moves the block's output; raises NoReplay."""
    end = time.process_time() + seconds
    routers = [each.data for each in block.routers]
    if routers:
        effect = moved_by_weights(lambda: replay(FixedChoices(block.fixed)), routers)
        found = replace(found, weight_effect=effect)
    masks = [each.mask(found.experts) for each in block.choices]
    tokens = torch.stack(masks).any(dim=0).sum(dim=0)[: block.group.whole]  # [E]
    tried = tokens.argsort(descending=True, stable=True)[:MOST_EXPERTS].sort().values.tolist()
    moved = moved_by_experts(replay, block.group, tried, lambda: time.process_time() > end)
    if moved is None:
        reason = "two equal calls differ, give numbers that are not finite, or take too long"
        return replace(found, reason=reason, lost=())
    empty = block.choice.empty(found.experts)[:, tried]
    pairs = compared(moved, [each[:, tried] for each in masks], empty)
    pairs = replace(pairs, skipped=tuple(tried[number] for number in pairs.skipped))
    if pairs.wrong and not pairs.dense:
        pairs = replace(pairs, mixed=not keeps_rows_apart(replay, block.group, block.fixed))
    # Each row that was lost is a pair that moves nothing; a gradient may be cut, and rows that
    # fill a tray may be written to one place that nobody reads.
    missing = int((torch.stack(masks).any(dim=0)[:, tried] & ~moved).sum())
    return replace(found, pairs=pairs, lost=tuple(e for e in found.lost if e.rows <= missing))


def _again(block: RoutedBlock, replay: Replay, root: str) -> RoutedBlock:
    """The block with the choices of its own call: noise in a router draws other numbers there."""
    trace = RoutingTrace(model=block.scope, groups=(block.group,), root=root)
    with torch.no_grad():
        replay(trace)
    for again in trace.blocks():
        if len(again.choices) == len(block.choices):
            return again
    raise NoReplay("it chooses otherwise when it is called by itself")


def _measured(
    specimen: Specimen,
    found: Measured,
    block: RoutedBlock,
    model: nn.Module,
    given: tuple[Any, Any] | None,
) -> Measured:
    """All that one block tells."""
    if given is None:
        return replace(found, reason="the block was not called a second time")
    args, kwargs = given
    replay = Replay(
        scope=block.scope, args=args, kwargs=kwargs, tokens=found.tokens, seed=specimen.seed
    )
    try:
        block = _again(block, replay, specimen.root)
        found = watched_once(found, block, replay, specimen.root)
        found = _effects(found, block, replay, SECONDS)
        if found.all_run_all:
            found = replace(found, rows_mixed=mixes_rows(replay, block.group))
    except NoReplay as error:
        found = replace(found, reason=str(error), lost=())
    if not found.router_learns:
        found = _with_more_batches(specimen, found, block, model)
    if not found.router_learns:
        found = replace(found, other_gradient=_other_gradient(specimen, block, model))
    return found


def measure(specimen: Specimen) -> RoutedExperts:
    """One block of each kind, the first of them."""
    require_forward(specimen)
    specimen = with_own_experts(specimen)
    if not any(True for _ in expert_groups(specimen.model)):
        return RoutedExperts(blocks=())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would name our frames for the user's
        traced = _traced(specimen)
        model = traced.model
        blocks = list(_kinds(traced.trace))[:MOST_BLOCKS]
        if not blocks:
            return RoutedExperts(blocks=())
        backward = _sent_back(traced.vectors)
        specimen.reseed()
        with torch.no_grad(), captured([block.scope for block in blocks]) as given:
            specimen.call(model, specimen.make_inputs(traced.batch, traced.length, specimen.seed))
        starts = [_start(block, model, backward) for block in blocks]
        measured = [
            _measured(specimen, start, block, model, given.get(id(block.scope)))
            for start, block in zip(starts, blocks, strict=True)
        ]
    return RoutedExperts(blocks=tuple(measured))


PROBE = Probe(name="routed-experts", order=62, measure=measure)
