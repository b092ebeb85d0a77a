"""Copies of models that hold what cannot be copied."""

from __future__ import annotations

import threading

import torch
from torch import nn

from gptdoctor.specimen.duplicate import duplicate


class Locked(nn.Module):
    """Holds a lock and a tensor that is the result of an operation."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.lock = threading.Lock()
        self.scaled = self.layer.weight * 2


def test_what_cannot_be_copied_is_shared_and_weights_are_not() -> None:
    """A step on the copy leaves the model as it is."""
    model = Locked()
    copied = duplicate(model)
    assert isinstance(copied, Locked)
    assert copied.lock is model.lock
    with torch.no_grad():
        copied.layer.weight.add_(1.0)
    assert not torch.equal(copied.layer.weight, model.layer.weight)
