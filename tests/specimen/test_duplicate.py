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


class Caught(nn.Module):
    """Holds functions that have caught the model, or a part of it."""

    def __init__(self) -> None:
        super().__init__()
        self.e = nn.Embedding(3, 2)
        self.seen: list[int] = []
        self.to_logits = lambda x: x @ self.e.weight.t()
        self.scale = lambda x, layer=self.e: x * layer.weight.sum()
        self.register_forward_hook(lambda *_: self.seen.append(1))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.scale(self.to_logits(self.e(ids)))


def test_functions_that_a_model_holds_mean_its_copy() -> None:
    """Or a tied head would train the model that was copied, and the copy's would look dead."""
    model = Caught()
    copied = duplicate(model)
    assert isinstance(copied, Caught)
    copied(torch.tensor([0, 1])).sum().backward()
    assert copied.e.weight.grad is not None
    assert model.e.weight.grad is None
    assert (len(copied.seen), len(model.seen)) == (1, 0)
