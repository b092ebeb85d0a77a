"""Which part of a tensor may not move, by its form."""

from __future__ import annotations

import pytest
import torch

from gptdoctor.probes.instruments.leaks import Sizes, positions_before


@pytest.mark.parametrize("shape", [(3, 7, 64), (3, 4, 7, 7), (3, 4, 7, 16), (21, 64)])
def test_positions_are_told_by_their_number(shape: tuple[int, ...]) -> None:
    """Of 3 rows of 7 positions, what belongs to the first 2."""
    part = positions_before(2, Sizes(3, 7))(torch.Size(shape))
    values = torch.zeros(shape)
    values[part] = 1.0
    assert 0 < values.mean() < 1


def test_scores_over_two_texts_tell_no_positions() -> None:
    """A query may see all of the one text and a part of the other; a mask alone says which."""
    assert positions_before(2, Sizes(3, 7))(torch.Size((3, 4, 7, 14))) is None
