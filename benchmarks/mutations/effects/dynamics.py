"""Effects on training: initial loss, progress, symmetry, gradients by depth, finite numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from benchmarks.mutations.effects.flow import STILL, changed, moved
from benchmarks.mutations.effects.gradients import objective
from benchmarks.mutations.subject import LENGTH, Subject

DEEP = 8


def initial_loss_high(subject: Subject) -> bool:
    """Without training, the cross-entropy of random labels is above 1.5 ln V, on three seeds."""
    return all(_initial_loss(subject, seed) > 1.5 * _chance(subject) for seed in range(3))


def _initial_loss(subject: Subject, seed: int) -> float:
    ids = subject.ids(8, 16, seed)
    logits = subject.logits(subject.model(seed, jitter=0.0), ids)
    return float(F.cross_entropy(logits.transpose(1, 2), subject.ids(8, 16, seed + 10)))


def _chance(subject: Subject) -> float:
    return math.log(subject.host.vocabulary)


def no_progress(subject: Subject) -> bool:
    """Sixty steps on one small batch take less than a tenth off the loss, at both rates."""
    return all(_trained(subject, rate)[0] > 0.9 for rate in (3e-3, 1e-2))


def rows_stay_equal(subject: Subject) -> bool:
    """After training, all rows of a weight matrix of a block are still the same."""
    _, model = _trained(subject, 1e-2, steps=10)
    matrices = [
        one for block in subject.host.blocks(model) for one in block.parameters() if one.dim() == 2
    ]
    matrices = [one for one in matrices if one.shape[0] > 1]
    return any(bool((one - one[:1]).abs().max() < 1e-7) for one in matrices)


def _trained(subject: Subject, rate: float, steps: int = 60) -> tuple[float, nn.Module]:
    """The last loss over the first, and the trained model."""
    model = subject.model(jitter=0.0)
    ids, targets = subject.ids(2, 12), subject.ids(2, 12, seed=4)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(subject.host.logits(model, ids).transpose(1, 2), targets)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(float(loss))
    last = losses[-1] if math.isfinite(losses[-1]) else math.inf
    return last / losses[0], model


def residual_missing(subject: Subject) -> bool:
    """Blocks whose matrices are all zero let no token through to its own logits."""
    model, ids = subject.model(), subject.ids()
    with torch.no_grad():
        for block in subject.host.blocks(model):
            for parameter in block.parameters():
                if parameter.dim() > 1:
                    parameter.zero_()
    before = subject.logits(model, ids)
    after = subject.logits(model, changed(subject, ids, slice(None), slice(LENGTH - 1, None)))
    return moved(before[:, -1], after[:, -1]) < STILL


def gradient_fades(subject: Subject) -> bool:
    """Over eight blocks, gradients differ in size a thousand times more than in the base."""
    mutant, base = (_spread(subject, made) for made in (subject.model, subject.base))
    return mutant > 1000 * base


def _spread(subject: Subject, made: Callable[..., nn.Module]) -> float:
    model = made(layers=DEEP, jitter=0.0)
    torch.autograd.backward(objective(subject, model))
    sizes = [_gradient(block) for block in subject.host.blocks(model)]
    return max(sizes) / max(min(sizes), 1e-30) if sizes else 1.0


def _gradient(block: nn.Module) -> float:
    found = [one.grad.norm() for one in block.parameters() if one.grad is not None]
    return float(torch.stack(found).norm()) if found else 0.0


def gradient_not_finite(subject: Subject) -> bool:
    """Finite logits, and a gradient that is NaN or infinite."""
    model = subject.model()
    value = objective(subject, model)
    if not bool(value.isfinite()):
        return False
    torch.autograd.backward(value)
    grads = [one.grad for one in model.parameters() if one.grad is not None]
    return any(not bool(one.isfinite().all()) for one in grads)


class _Scores(TorchFunctionMode):
    """Keeps the spread of what goes into softmax as attention scores, fused or not."""

    def __init__(self) -> None:
        super().__init__()
        self.spreads: list[float] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "scaled_dot_product_attention":
            query, key = args[0], args[1]
            key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
            scale = kwargs.get("scale") or query.shape[-1] ** -0.5
            self._keep(query @ key.transpose(-2, -1) * scale)
        elif name == "softmax":
            self._keep(args[0] if args else kwargs["input"])
        return func(*args, **kwargs)

    def _keep(self, scores: Tensor) -> None:
        if scores.dim() >= 3 and scores.shape[-1] == scores.shape[-2] == LENGTH:
            seen = scores[..., -1, :]  # the last query sees every key
            self.spreads.append(float(seen[seen > -1e8].std()))


def scores_unscaled(subject: Subject) -> bool:
    """Attention scores spread at least 1.8 times wider than in the base (1/sqrt(8) is 2.8)."""
    spreads = []
    for model in (subject.model(layers=1), subject.base(layers=1)):
        with _Scores() as scores:
            subject.logits(model, subject.ids())
        spreads.append(scores.spreads[0] if scores.spreads else 0.0)
    return spreads[0] > 1.8 * spreads[1] > 0
