"""Which operation of a block multiplies the gradient, or all but ends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.missing_paths import BlockLog, watch_block
from gptdoctor.probes.instruments.operation_log import Operation

_MOST_STEPS = 1000
# The stream passes an operation by what comes back in the direction in which it was sent: all of
# it where the stream is alone, and hardly any by a branch that mixes the channels.
_LEAST_ALIKE = 0.3


@dataclass(frozen=True, kw_only=True)
class Jump:
    """The operation on the stream at which the gradient changes most."""

    place: Place
    operation: str
    factor: float  # norm of the gradient at what it was given over that at what it made


def gradient_jump(
    run: Callable[[], Tensor | None],
    grows: bool,
    owner: nn.Module,
    block: nn.Module,
    following: nn.Module | None,
    root: str,
    *,
    in_rounds: bool = False,
) -> Jump | None:
    """The operation of `block` at which the gradient of what `run` gives grows, or fades, most.

    Followed from the end of the block to its beginning, at each operation by the tensor through
    which most of the gradient arrives there: what a branch beside the stream does to its own part
    is its own affair.  Where it fades, the stream itself is followed if it passes: a branch that
    reads a small stream through a norm may be told more than the stream that all but ends.
    """
    log = BlockLog(root, block, owner)
    objective = watch_block(log, run, block, following, in_rounds=in_rounds)
    if objective is None or log.output is None:
        return None
    makers = {id(each): pair for pair in log.mine for each in pair[0].made}
    gradients = _gradients(objective, log)
    found, tensor = None, log.output
    for _ in range(_MOST_STEPS):
        if id(tensor) not in makers or id(tensor) not in gradients:
            break
        operation, place = makers[id(tensor)]
        before = _main(operation, gradients, log, grows)
        if before is None:
            break
        factor = _norm(gradients[id(before)]) / _norm(gradients[id(tensor)])
        where = operation.place or place
        better = found is None or (factor > found.factor) is grows
        if where is not None and better and (factor > 1) is grows:
            found = Jump(place=where, operation=operation.name.strip("_"), factor=factor)
        tensor = before
    return found


def _norm(gradient: Tensor) -> float:
    return float(gradient.float().norm())


def _gradients(objective: Tensor, log: BlockLog) -> dict[int, Tensor]:
    """The gradient at each tensor that the block was given or made, where there is one."""
    given = [each for operation, _ in log.mine for each in (*operation.given, *operation.made)]
    there = {id(each): each for each in given if _hears(each)}
    found: tuple[Tensor | None, ...] = torch.autograd.grad(
        objective, list(there.values()), retain_graph=True, allow_unused=True
    )
    pairs = zip(there, found, strict=True)
    return {key: each for key, each in pairs if each is not None and bool(each.any())}


def _hears(tensor: Tensor) -> bool:
    """Whether a gradient reaches a tensor that is no weight."""
    return tensor.is_floating_point() and tensor.requires_grad and not tensor.is_leaf


def _main(
    operation: Operation, gradients: Mapping[int, Tensor], log: BlockLog, grows: bool
) -> Tensor | None:
    """What an operation was given through which most of the gradient comes to the beginning."""
    heard = list({id(each): each for each in operation.given if id(each) in gradients}.values())
    if len(heard) < 2 or log.input is None:
        return heard[0] if heard else None
    arriving = [_arriving(each, gradients[id(each)], log.input) for each in heard]
    sent = gradients.get(id(log.output))
    if not grows and sent is not None:
        alike, stream = max((_alike(one, sent), number) for number, one in enumerate(arriving))
        if alike >= _LEAST_ALIKE:
            return heard[stream]
    norms = [0.0 if one is None else _norm(one) for one in arriving]
    return heard[norms.index(max(norms))]


def _arriving(tensor: Tensor, gradient: Tensor, start: Tensor) -> Tensor | None:
    """What comes of a tensor's gradient where the block begins."""
    if tensor is start:
        return gradient
    arrived: tuple[Tensor | None, ...] = torch.autograd.grad(
        (tensor * gradient).sum(), [start], retain_graph=True, allow_unused=True
    )
    return arrived[0]


def _alike(arrived: Tensor | None, sent: Tensor) -> float:
    """The cosine of what arrives with what was sent; 0 where they are of another form."""
    if arrived is None or arrived.shape != sent.shape:
        return 0.0
    return float(torch.cosine_similarity(arrived.flatten(), sent.flatten(), dim=0))
