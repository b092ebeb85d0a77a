"""Effects on gradients and on what a model's parameters are."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.mutations.subject import Subject

BATCHES = 3
NOTHING = 1e-12  # of the largest gradient


def objective(subject: Subject, model: nn.Module, seed: int = 0) -> Tensor:
    """A weighted sum of all logits: independent of labels and loss."""
    logits = subject.host.logits(model, subject.ids(seed=seed))
    generator = torch.Generator().manual_seed(seed)
    return (logits * torch.randn(logits.shape, generator=generator)).sum()


def gradients(subject: Subject, model: nn.Module) -> dict[str, float]:
    """For each parameter the largest absolute gradient over some batches; 0 where there is none.

    No graph at all means that there is no gradient for anything.
    """
    for seed in range(BATCHES):
        value = objective(subject, model, seed)
        if value.requires_grad:
            torch.autograd.backward(value)
    return {
        name: 0.0 if parameter.grad is None else float(parameter.grad.abs().max())
        for name, parameter in model.named_parameters()
    }


def no_gradient(subject: Subject) -> bool:
    """A parameter gets no gradient from the logits, and gets one in the base."""
    base = gradients(subject, subject.base())
    floor = NOTHING * max(base.values())
    mutant = gradients(subject, subject.model())
    return any(size <= floor < base.get(name, 0.0) for name, size in mutant.items())


def gradient_changed(subject: Subject) -> bool:
    """The logits are those of the base, and the gradient of a parameter is not: a partial cut."""
    mutant, base, ids = subject.model(), subject.base(), subject.ids()
    if differs(subject.logits(base, ids), subject.logits(mutant, ids), 1e-5):
        return False
    largest = max(gradients(subject, base).values())
    gradients(subject, mutant)
    sound = dict(base.named_parameters())
    for name, one in mutant.named_parameters():
        wanted = sound[name].grad
        if wanted is not None:
            found = torch.zeros_like(wanted) if one.grad is None else one.grad
            if bool((found - wanted).abs().max() > 1e-3 * largest):
                return True
    return False


def slice_without_gradient(subject: Subject) -> bool:
    """A row or column of a matrix gets no gradient, and gets one in the base.

    Queries, keys and values may share one matrix.
    """
    mutant, base = subject.model(), subject.base()
    gradients(subject, mutant)
    largest = max(gradients(subject, base).values())
    sound = dict(base.named_parameters())
    return any(
        name in sound and _lost_slice(one.grad, sound[name].grad, largest)
        for name, one in mutant.named_parameters()
        if one.dim() > 1
    )


def _lost_slice(mutant: Tensor | None, base: Tensor | None, largest: float) -> bool:
    if base is None:
        return False
    mutant = torch.zeros_like(base) if mutant is None else mutant
    for dim in range(base.dim()):
        others = [one for one in range(base.dim()) if one != dim]
        lost = mutant.abs().amax(others) <= NOTHING * largest
        if bool((lost & (base.abs().amax(others) > 1e-6 * largest)).any()):
            return True
    return False


def backward_fails(subject: Subject) -> bool:
    """The forward pass goes through and the backward pass raises."""
    value = objective(subject, subject.model())
    try:
        torch.autograd.backward(value)
    except RuntimeError:
        return value.requires_grad
    return False


def state_lost(subject: Subject) -> bool:
    """A model that is given all saved weights of another one answers differently."""
    one, other = subject.model(seed=0), subject.model(seed=1)
    other.load_state_dict(one.state_dict(), strict=False)
    ids = subject.ids()
    return differs(subject.logits(one, ids), subject.logits(other, ids))


def fewer_trainable(subject: Subject) -> bool:
    """Fewer numbers can be trained than in the base."""
    return trainable(subject.model()) < trainable(subject.base())


def twice_the_storage(subject: Subject) -> bool:
    """Two parameters of the model share one storage, so that each step moves it twice."""
    parameters = list(subject.model().parameters())
    return len({parameter.data_ptr() for parameter in parameters}) < len(parameters)


def trainable(model: nn.Module) -> int:
    """The number of trainable numbers."""
    return sum(one.numel() for one in model.parameters() if one.requires_grad)


def differs(one: Tensor, other: Tensor, relative: float = 1e-4) -> bool:
    """Whether two tensors of one shape differ by more than rounding; NaN differs from all."""
    scale = max(float(one.abs().max()), 1e-6)
    return not bool(((one - other).abs() <= relative * scale).all())
