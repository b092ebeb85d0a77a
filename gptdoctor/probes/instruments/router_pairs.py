"""Which tokens and experts were chosen for each other, and which have to do with each other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gptdoctor.core.measurements.routed_experts import Pairs

# An expert that is skipped has some of the tokens; a single one may be dropped for want of room.
_FEW = 2


def compared(moved: Tensor, choices: Sequence[Tensor], empty: Tensor) -> Pairs:
    """What `moved` [N, E] makes of the `choices` [N, E] of one block, all bool.

    `empty` [N, E] are pairs with a score of 0, of which nobody expects that they move anything.

    Where a block chooses several times (a second expert, the balance of the load), all that was
    chosen counts. The rows may be in another order: [T, B] for [B, T].
    """
    chosen = torch.stack(list(choices)).any(dim=0)
    chosen = _in_order(moved, chosen)
    single = any(torch.equal(each.sum(), chosen.sum()) for each in choices)
    idle = ((chosen & ~empty).sum(dim=0) >= _FEW) & ~moved.any(dim=0)
    right = bool((moved & chosen).any())
    dense = bool(moved.all())
    if not dense and not bool(
        idle.any()
    ):  # one that works for all tokens, beside those that were chosen
        moved = moved & (chosen | ~moved.all(dim=0))
    return Pairs(
        chosen=int(chosen.sum()),
        moved=int(moved.sum()),
        wrong=int((moved & ~chosen).sum()),
        skipped=tuple(idle.nonzero().flatten().tolist()) if single and right else (),
        dense=dense,
        mixed=False,
        renamed=_is_renamed(moved, chosen),
    )


def _in_order(moved: Tensor, chosen: Tensor) -> Tensor:
    """The choice with its rows in the order of the output, where there is such an order."""
    if not bool((moved & ~chosen).any()):
        return chosen
    tokens = moved.shape[0]
    for inner in range(2, tokens):
        if tokens % inner == 0:
            turned = chosen.view(tokens // inner, inner, -1).transpose(0, 1).reshape(moved.shape)
            if not bool((moved & ~turned).any()):
                return turned
    return moved if _sorted(moved) == _sorted(chosen) else chosen


def _sorted(pairs: Tensor) -> list[list[int]]:
    """The rows in an order that does not depend on theirs."""
    return sorted(pairs.int().tolist())


def _is_renamed(moved: Tensor, chosen: Tensor) -> bool:
    """Whether each expert that is used has the tokens of exactly one other, all of them."""
    columns = [moved[:, expert] for expert in range(moved.shape[1])]
    sources = [
        [number for number in range(len(columns)) if torch.equal(chosen[:, number], column)]
        for column in columns
        if bool(column.any())
    ]
    return bool(sources) and all(sources) and not torch.equal(moved, chosen)
