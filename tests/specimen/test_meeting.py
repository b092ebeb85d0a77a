"""Which weight an input meets, also where it is a copy of it that does."""

from __future__ import annotations

import torch
from torch import nn

from gptdoctor.specimen.meeting import Meeting


def test_ids_are_known_by_their_content() -> None:
    """What is looked up is a copy, of another type."""
    table, ids = nn.Embedding(7, 4), torch.tensor([[0, 3, 6]])
    with Meeting(ids) as meeting:
        table(ids.clone().int())
    assert (meeting.operation, meeting.width) == ("embedding", 7)


def test_other_ids_of_the_shape_are_not_the_input() -> None:
    """Positions and types of tokens are looked up beside it."""
    table, ids = nn.Embedding(7, 4), torch.tensor([[0, 3, 6]])
    with Meeting(ids) as meeting:
        table(torch.arange(3)[None])
    assert meeting.operation == ""
