"""Which rates of dropout a probe raises, to see whether they count in evaluation."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from gptdoctor.probes.repeated_calls import CHANCE, with_dropout


class Rated(nn.Module):
    """A rate that somebody sets, two that nobody does, and one that a condition sets."""

    def __init__(self, rate: float = 0.0, *, deep: bool = False) -> None:
        super().__init__()
        self.rate = rate
        self.dropout_never = 0.0
        self.dropout_fixed = 0.3
        self.dropout_deep = 0.0
        if deep:
            self.dropout_deep = 0.2

    def forward(self, x: Tensor) -> Tensor:
        """Drop in all modes."""
        return F.dropout(F.dropout(x, self.rate), self.dropout_never)


def test_a_rate_that_is_written_as_0_stays_0() -> None:
    """No way of building it makes it drop; every other rate might be one that counts."""
    model = with_dropout(Rated(), CHANCE)
    assert isinstance(model, Rated)
    assert model.dropout_never == 0.0
    assert [model.rate, model.dropout_fixed, model.dropout_deep] == [CHANCE] * 3
