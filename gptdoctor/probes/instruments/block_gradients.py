"""Which operation of a block multiplies the gradient, or all but ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.missing_paths import BlockLog, watch_block
from gptdoctor.probes.instruments.operation_log import Operation

_MOST_STEPS = 1000


@dataclass(frozen=True, kw_only=True)
class Jump:
    """The operation on the stream at which the gradient changes most."""

    place: Place
    operation: str
    factor: float  # norm of the gradient at what it was given over that at what it made


def gradient_jump(
    run: Callable[[], Tensor | None],
    owner: nn.Module,
    block: nn.Module,
    following: nn.Module | None,
    root: str,
) -> Jump | None:
    """The operation of `block` at which the gradient of what `run` gives changes most.

    Followed from the end of the block to its beginning, at each operation by the tensor that
    hears most: what a branch beside the stream does to its own part is its own affair.
    """
    log = BlockLog(root, block, owner)
    objective = watch_block(log, run, block, following)
    if objective is None or log.output is None:
        return None
    makers = {id(each): pair for pair in log.mine for each in pair[0].made}
    norms = _norms(objective, log)
    found, tensor = None, log.output
    for _ in range(_MOST_STEPS):
        if id(tensor) not in makers or not norms.get(id(tensor)):
            break
        operation, place = makers[id(tensor)]
        before = _loudest(operation, norms)
        if before is None:
            break
        factor = norms[id(before)] / norms[id(tensor)]
        where = operation.place or place
        if where is not None and (found is None or _change(factor) > _change(found.factor)):
            found = Jump(place=where, operation=operation.name.strip("_"), factor=factor)
        tensor = before
    return found


def _change(factor: float) -> float:
    """How far a factor is from 1, in either direction."""
    return max(factor, 1 / factor) if factor else float("inf")


def _norms(objective: Tensor, log: BlockLog) -> dict[int, float]:
    """The norm of the gradient at each tensor that the block was given or made; 0: no gradient."""
    given = [each for operation, _ in log.mine for each in (*operation.given, *operation.made)]
    there = {id(each): each for each in given if _hears(each)}
    found = torch.autograd.grad(
        objective, list(there.values()), retain_graph=True, allow_unused=True
    )
    pairs = zip(there, found, strict=True)
    return {key: 0.0 if each is None else float(each.float().norm()) for key, each in pairs}


def _hears(tensor: Tensor) -> bool:
    """Whether a gradient reaches a tensor that is no weight."""
    return tensor.is_floating_point() and tensor.requires_grad and not tensor.is_leaf


def _loudest(operation: Operation, norms: dict[int, float]) -> Tensor | None:
    """What an operation was given that hears most."""
    heard = [each for each in operation.given if norms.get(id(each))]
    return max(heard, key=lambda each: norms[id(each)], default=None)
