"""The rows of experts that count, and what a choice among experts takes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gptdoctor.probes.instruments.expert_rows import TopkWatch, rows_that_count


def test_rows_that_are_written_over_do_not_count() -> None:
    """Two experts of three rows each, of which one writes over two rows of the other."""
    experts = [nn.Linear(4, 4), nn.Linear(4, 4)]
    x = torch.randn(3, 4)

    def forward() -> Tensor:
        out = torch.zeros(3, 4)
        out[:] = experts[0](x)
        out[:2] = experts[1](x)[:2]
        return out

    assert rows_that_count(experts[:1], forward) == 1
    assert rows_that_count(experts[1:], forward) == 2
    assert rows_that_count([nn.Linear(4, 4)], forward) == 0


def test_a_choice_is_counted_for_each_expert() -> None:
    """Choices among another number are no choice of these."""
    scores = torch.tensor([[3.0, 2.0, 1.0], [0.0, 2.0, 1.0]])
    with TopkWatch(3) as watch:
        scores.topk(2)
        scores[:, :2].topk(1)
    assert watch.counts == [[1, 2, 1]]
