"""Effects of inputs that a model should refuse with a clear error."""

from __future__ import annotations

import torch

from benchmarks.mutations.effects.flow import padded
from benchmarks.mutations.subject import Subject

CLEAR = (ValueError, TypeError)


def nothing_unguarded(subject: Subject) -> bool:
    """A call without anything is not refused with a ValueError or TypeError."""
    if subject.host.empty is None:
        return False
    model = subject.model()
    try:
        subject.host.empty(model)
    except CLEAR:
        return False
    except Exception:
        return True
    return True


def strange_ids_accepted(subject: Subject) -> bool:
    """Ids beyond the vocabulary give numbers."""
    model, ids = subject.model(), subject.ids()
    ids[0, 3] = subject.host.vocabulary + 2
    return _gives_numbers(subject, model, ids)


def overlong_accepted(subject: Subject) -> bool:
    """More tokens than the model has positions for give numbers."""
    if subject.host.longest is None:
        return False
    ids = subject.ids(length=subject.host.longest + 5)
    return _gives_numbers(subject, subject.model(), ids)


def overlong_unguarded(subject: Subject) -> bool:
    """More tokens than the model has positions for are not refused with a ValueError."""
    if subject.host.longest is None:
        return False
    ids = subject.ids(length=subject.host.longest + 5)
    try:
        subject.logits(subject.model(), ids)
    except CLEAR:
        return False
    except Exception:
        return True
    return True


def _gives_numbers(subject: Subject, model: torch.nn.Module, ids: torch.Tensor) -> bool:
    try:
        subject.logits(model, ids)
    except Exception:
        return False
    return True


def masked_row_not_finite(subject: Subject) -> bool:
    """A row that is all padding makes logits NaN."""
    if subject.host.padded is None:
        return False
    ids = subject.ids()
    mask = torch.ones_like(ids)
    mask[1] = 0
    return not bool(padded(subject, subject.model(), ids, mask).isfinite().all())
