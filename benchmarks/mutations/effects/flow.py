"""Effects on what a position or a sample may see."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.mutations.subject import LENGTH, ROWS, Subject

LEAK = 1e-5  # relative to the largest logit; rounding stays below 1e-6
STILL = 1e-6


def moved(one: Tensor, other: Tensor) -> float:
    """The largest difference, relative to the largest value of the first; NaN counts as 0."""
    return float(((one - other).abs().max() / one.abs().max()).nan_to_num())


def changed(subject: Subject, ids: Tensor, rows: slice, columns: slice) -> Tensor:
    """The ids with others in a region."""
    out = ids.clone()
    low, high = 1, subject.host.vocabulary
    out[rows, columns] = (out[rows, columns] - low + 7) % (high - low) + low
    return out


def future_leak(subject: Subject) -> bool:
    """The logits before a position move when tokens from there on change."""
    model, ids = subject.model(), subject.ids()
    before = subject.logits(model, ids)
    if not before.isfinite().all():
        return False
    for start in (1, 4, 9):
        after = subject.logits(model, changed(subject, ids, slice(None), slice(start, None)))
        if moved(before[:, :start], after[:, :start]) > LEAK:
            return True
    return False


def batch_leak(subject: Subject) -> bool:
    """The logits of a row move when another row changes."""
    model, ids = subject.model(), subject.ids()
    before = subject.logits(model, ids)
    after = subject.logits(model, changed(subject, ids, slice(1, None), slice(None)))
    return before.shape[0] == ROWS and moved(before[0], after[0]) > LEAK


def not_finite(subject: Subject) -> bool:
    """Logits of ordinary ids are NaN or infinite."""
    return not bool(subject.logits(subject.model(), subject.ids()).isfinite().all())


def context_blind(subject: Subject) -> bool:
    """The last logits do not move when all tokens but the last change."""
    model, ids = subject.model(), subject.ids()
    before = subject.logits(model, ids)
    after = subject.logits(model, changed(subject, ids, slice(None), slice(0, LENGTH - 1)))
    return moved(before[:, -1], after[:, -1]) < STILL


def order_blind(subject: Subject) -> bool:
    """With one layer, the last logits do not move when the tokens before change places."""
    model, ids = subject.model(layers=1), subject.ids()
    order = [*reversed(range(LENGTH - 1)), LENGTH - 1]
    before, after = subject.logits(model, ids), subject.logits(model, ids[:, order])
    return moved(before[:, -1], after[:, -1]) < STILL


def padding_leak(subject: Subject) -> bool:
    """Real positions feel the padding: which ids stand there, or that it is there at all.

    For an encoder-decoder the mask belongs to the source, and all of the target feels it.
    """
    if subject.host.padded is None:
        return False
    model, ids = subject.model(), subject.ids()
    left, right = torch.ones_like(ids), torch.ones_like(ids)
    left[1:, :4], right[:, 6:] = 0, 0
    before = padded(subject, model, ids, left)
    after = padded(subject, model, changed(subject, ids, slice(1, None), slice(0, 4)), left)
    longer = padded(subject, model, ids, right)
    alone = padded(subject, model, ids[:, :6], right[:, :6])
    length = alone.shape[1]
    return moved(before[1:, 4:], after[1:, 4:]) > LEAK or moved(alone, longer[:, :length]) > LEAK


def padded(subject: Subject, model: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
    """Logits with a mask [B, T], 1 where the ids are real."""
    assert subject.host.padded is not None
    with torch.no_grad():
        return subject.host.padded(model, ids, mask)


def state_kept(subject: Subject) -> bool:
    """The same ids give other logits after a call with other ids."""
    model = subject.model()
    ids, others = subject.ids(seed=0), subject.ids(seed=3)
    first, again = subject.logits(model, ids), subject.logits(model, ids)
    subject.logits(model, others)
    return not torch.equal(first, subject.logits(model, ids)) or not torch.equal(first, again)


def nondeterministic(subject: Subject) -> bool:
    """In evaluation, the same ids give other logits at once."""
    model, ids = subject.model(), subject.ids()
    return not torch.equal(subject.logits(model, ids), subject.logits(model, ids))
