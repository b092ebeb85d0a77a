"""Which token each position of a text is trained on, read from the gradient of its logits."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# Shifts that anybody writes by mistake, and one more on each side.
OFFSETS = range(-2, 4)
# A position whose gradient is this much smaller than the largest is not trained: what remains may
# be rounding, or a penalty on all logits.
LEAST_PULL = 1e-3


def pulled_to(loss: Tensor, logits: Tensor) -> Tensor | None:
    """The token that each position of logits [..., V] is pulled to, [...]; -1: to none.

    Cross-entropy pulls up the logit of the target alone, however it is smoothed, weighed or
    summed, and whatever is added to it.  None: the loss does not hear of these logits.
    """
    pull = strongest_pull(loss, logits)
    if pull is None:
        return None
    strength, tokens = pull
    return torch.where(strength > LEAST_PULL * strength.max(), tokens, -1)


def strongest_pull(loss: Tensor, logits: Tensor) -> tuple[Tensor, Tensor] | None:
    """How hard each position of logits [..., V] is pulled, in nats a logit, and to which token.

    Both [...].  None: the loss does not hear of these logits.
    """
    if not loss.requires_grad:
        return None
    found = torch.autograd.grad(loss, logits, retain_graph=True, allow_unused=True)
    gradient: Tensor | None = found[0]
    if gradient is None or not bool(gradient.isfinite().all() & gradient.any()):
        return None
    strength, tokens = (-gradient).max(dim=-1)
    return strength, tokens


class Pairing(NamedTuple):
    """How the positions of logits and the tokens of a text are paired by a loss.

    A plain tuple, for tests of the user's own carry it: a dataclass asks for its module.
    """

    offset: int  # position t is trained on token t + offset
    positions: int  # that are trained
    across_rows: int  # of those: on a token of the next row


def pairing(pulled: Tensor, tokens: Tensor) -> Pairing | None:
    """The one offset at which all trained positions [B, L] are pulled to `tokens` [B, T].

    None: there is no such offset, or more than one; a near match is no match.  Positions whose
    token would lie behind the end of the row may be trained on anything.
    """
    found = [each for offset in OFFSETS if (each := _paired(pulled, tokens, offset)) is not None]
    return found[0] if len(found) == 1 else None


def _paired(pulled: Tensor, tokens: Tensor, offset: int) -> Pairing | None:
    batch, length = tokens.shape
    inside = across = 0
    for row in range(batch):
        for position, token in enumerate(pulled[row].tolist()):
            target = position + offset
            if token < 0 or target < 0:
                continue
            if target < length:
                if tokens[row, target] != token:
                    return None
                inside += 1
            elif row + 1 < batch and tokens[row + 1, target - length] == token:
                across += 1
    return Pairing(offset=offset, positions=inside + across, across_rows=across) if inside else None


def first_unseen(logits: Tensor, moved: Tensor, position: int) -> int | None:
    """How far ahead the first token lies that a position has not seen: 1 in a causal model.

    `moved` are the logits [B, L, V] after the token at `position` of row 0 was exchanged.  None:
    positions before it moved as well, or none did.
    """
    # Mixtures of experts differ by 1e-7 between equal runs; a token that is seen moves far more.
    threshold = 1e-5 * logits.abs().max()
    changed = ((moved - logits).abs() > threshold).any(dim=-1)[0].nonzero()
    if not len(changed):
        return None
    unseen = position + 1 - int(changed[0])
    return unseen if unseen <= 1 else None
