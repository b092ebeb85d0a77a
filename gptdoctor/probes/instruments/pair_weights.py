"""Weights over pairs of positions that no softmax made: linear attention, retention, gates."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.mask_origins import border, mask_place
from gptdoctor.probes.instruments.masks import Sight, plain_values
from gptdoctor.probes.instruments.operations import Operation, Recording

# What sums over positions by such weights.
_SUMMING = frozenset({"matmul", "__matmul__", "bmm", "einsum", "baddbmm"})
_CUTTING = frozenset({"tril", "tril_", "triu", "triu_"})
_MOST = 40  # operations on the way from the weights back to their mask; decays take a dozen


def weights_of(operation: Operation, recording: Recording, length: int) -> int | None:
    """The number of the weights [.., T, T] by which an operation sums over T positions."""
    if operation.name not in _SUMMING:
        return None
    pairs = (each for each in operation.inputs if _over_pairs(recording.values[each], length))
    return next((each for each in pairs if recording.values[each].is_floating_point()), None)


def sight_of_weights(
    operation: Operation, recording: Recording, length: int, weights: int
) -> Sight:
    """What the positions see: all that is not weighed with exactly zero, and the mask met.

    A span that fades by what the text says reaches as low as a mask does, and is none.
    """
    plain = plain_values(recording)
    visible = (recording.values[weights] != 0).reshape(-1, length, length).any(dim=0)
    met = (
        (number, maker)
        for maker in makers(recording, length, weights)
        for number in maker.inputs
        if number in plain and _over_pairs(recording.values[number], length)
        if border(recording.values[number]) != "none"
    )
    mask, applied = next(met, (None, None))
    return Sight(operation, visible, mask, applied)


def wrong_weights_place(
    sight: Sight, recording: Recording, length: int, weights: int, root: str
) -> Place | None:
    """The statement that made the mask of the weights wrong; None: they have none."""
    if sight.mask is not None:
        return mask_place(sight, recording, root)
    cuts = (one for one in makers(recording, length, weights) if one.name in _CUTTING)
    return next((one.place for one in cuts), None)


def makers(recording: Recording, length: int, weights: int) -> Iterator[Operation]:
    """The operations on pairs of positions that weights were made by, the last one first."""
    waiting, seen = [weights], set[int]()
    while waiting and len(seen) < _MOST:
        maker = recording.maker.get(waiting.pop(0))
        if maker is None or id(maker) in seen:
            continue
        seen.add(id(maker))
        yield maker
        waiting += (each for each in maker.inputs if _over_pairs(recording.values[each], length))


def _over_pairs(value: Tensor, length: int) -> bool:
    return value.dim() >= 2 and tuple(value.shape[-2:]) == (length, length)
