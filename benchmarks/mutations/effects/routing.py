"""Effects on mixtures of experts, measured on models of one layer.

There a token's logits depend on the experts of that token alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.mutations.host import Experts
from benchmarks.mutations.subject import Subject

MOVED = 1e-5  # relative to the largest logit
WASTE = 1.5  # rows that experts see, over rows that they need
ROWS, LENGTH = 8, 20


def influences(subject: Subject, model: nn.Module, experts: Experts) -> Tensor:
    """Which expert moves the logits of which token, [experts, rows, length] of bools."""
    ids = subject.ids(ROWS, LENGTH)
    before = subject.logits(model, ids)
    found = []
    for expert in range(experts.count):
        weights = experts.parameters(model, expert)
        kept = [one.detach().clone() for one in weights]
        with torch.no_grad():
            for one in weights:
                one.add_(0.3 * torch.randn_like(one))
            moved = (subject.logits(model, ids) - before).abs().amax(-1)
            for one, old in zip(weights, kept, strict=True):
                one.copy_(old)
        found.append(moved > MOVED * before.abs().max())
    return torch.stack(found)


def expert_rows_lost(subject: Subject) -> bool:
    """Some token feels fewer experts than were chosen for it."""
    experts = subject.host.experts
    if experts is None:
        return False
    counts = influences(subject, subject.model(layers=1), experts).sum(0)
    return bool((counts < experts.chosen).any())


def expert_idle(subject: Subject) -> bool:
    """An expert moves no token out of many."""
    experts = subject.host.experts
    if experts is None:
        return False
    reached = influences(subject, subject.model(layers=1), experts).flatten(1).any(1)
    return not bool(reached.all())


def expert_rows_wasted(subject: Subject) -> bool:
    """The experts are given far more rows than tokens were sent to them."""
    experts = subject.host.experts
    if experts is None or experts.modules is None:
        return False
    model = subject.model(layers=1)
    seen = []

    def count(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0].numel() // inputs[0].shape[-1])

    for module in experts.modules(model):
        module.register_forward_pre_hook(count)
    subject.logits(model, subject.ids(ROWS, LENGTH))
    return sum(seen) > WASTE * ROWS * LENGTH * experts.chosen
