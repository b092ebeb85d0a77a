"""Effects on the loss that a model gives."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from benchmarks.mutations.subject import Subject

OFF = 1e-3  # of a loss near ln V = 4
SPREAD = 0.3  # jitter of the weights: logits far enough apart for each label to make a difference


def loss_of(subject: Subject, labels: Tensor | None = None) -> Tensor | None:
    """The model's loss in evaluation; None where it gives none."""
    assert subject.host.loss is not None
    ids, model = subject.ids(), subject.model(jitter=SPREAD)
    out = subject.host.loss(model, ids, subject.labels(ids) if labels is None else labels)
    return out if isinstance(out, Tensor) else None


def proper_loss(subject: Subject, labels: Tensor) -> Tensor:
    """The cross-entropy of the model's own logits with the host's shift, over counted labels."""
    ids, shift = subject.ids(), subject.host.shift
    logits = subject.logits(subject.model(jitter=SPREAD), ids)
    if subject.host.ignored_label is not None:
        labels = labels.masked_fill(labels == subject.host.ignored_label, -100)
    logits = logits[:, : logits.shape[1] - shift]
    return F.cross_entropy(logits.transpose(1, 2), labels[:, shift:])


def loss_wrong(subject: Subject) -> bool:
    """The loss is not the cross-entropy of the logits with the labels in their places."""
    if subject.host.loss is None:
        return False
    labels = subject.labels(subject.ids())
    loss = loss_of(subject, labels)
    return loss is not None and _off(loss, proper_loss(subject, labels))


def padding_counted(subject: Subject) -> bool:
    """With labels that are to be ignored, the loss is wrong or is refused."""
    if subject.host.loss is None or subject.host.ignored_label is None:
        return False
    labels = subject.labels(subject.ids()).clone()
    labels[:, -4:] = subject.host.ignored_label
    labels[1, 5:] = subject.host.ignored_label
    try:
        loss = loss_of(subject, labels)
    except Exception:
        return True
    return loss is not None and _off(loss, proper_loss(subject, labels))


def labels_unused(subject: Subject) -> bool:
    """Other labels give the same loss."""
    if subject.host.loss is None or subject.host.labels_are_ids:
        return False
    ids = subject.ids()
    one, other = (loss_of(subject, subject.labels(ids, seed)) for seed in (1, 2))
    return one is not None and other is not None and torch.equal(one, other)


def loss_without_gradient(subject: Subject) -> bool:
    """There is no loss, or no way back from it to the parameters."""
    if subject.host.loss is None:
        return False
    model, ids = subject.model(jitter=SPREAD), subject.ids()
    loss = subject.host.loss(model, ids, subject.labels(ids))
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        return True
    torch.autograd.backward(loss)
    grads = [one.grad for one in model.parameters() if one.grad is not None]
    return not any(bool(one.any()) for one in grads)


def _off(loss: Tensor, proper: Tensor) -> bool:
    return loss.dim() > 0 or bool((loss.detach() - proper).abs() > OFF)
