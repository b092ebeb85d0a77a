"""Effects on shapes, and whether a source works at all."""

from __future__ import annotations

import torch

from benchmarks.mutations.subject import Subject


def fails(subject: Subject) -> bool:
    """Importing, building, calling, or one step back raises."""
    try:
        model = subject.model()
        ids = subject.ids()
        logits = subject.host.logits(model, ids)
        if subject.host.loss is not None:
            subject.host.loss(model, ids, subject.labels(ids))
        torch.autograd.backward(logits.sum())
        if subject.host.generate is not None:
            subject.host.generate(model, ids, 2)
    except Exception:
        return True
    return False


def wrong_shape(subject: Subject) -> bool:
    """The logits are not [B, T, V]."""
    ids = subject.ids()
    logits = subject.logits(subject.model(), ids)
    return tuple(logits.shape) != (*ids.shape, subject.host.vocabulary)
