"""Models that take a certain number of tokens: the first layer behind them says how many."""

from __future__ import annotations

import re

from torch import nn

from gptdoctor.specimen.trial import SHAPES, Trial, attempt

_PRODUCT = re.compile(r"shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)")
_LONGEST = 1024  # tokens; beyond, it is no small model any more


def with_fixed_length(model: nn.Module, trial: Trial, seed: int) -> Trial | None:
    """The call at the length that fits: T vectors of D in a row are to be N * D wide."""
    found = _PRODUCT.search(str(trial.error))
    if found is None:
        return None
    given, wanted = int(found[1]), int(found[2])
    length = wanted * trial.length // given
    if not 1 < length <= _LONGEST or length * given != wanted * trial.length:
        return None
    again = attempt(model, trial.recipe, SHAPES[0][0], length, seed)
    return again if again.runs else None
