"""Copies of models that hold what cannot be copied."""

from __future__ import annotations

import threading

import torch
from torch import nn

from gptdoctor.specimen.duplicate import duplicate, duplicate_to_train


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


class Frozen(nn.Module):
    """Its normalisation stays in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.mix = nn.GRU(2, 2)

    def train(self, mode: bool = True) -> Frozen:
        super().train(mode)
        self.norm.eval()
        return self


class Counted(nn.Module):
    """Counts how often its mode is set, which only its own `__setattr__` knows."""

    changes = 0

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "training":
            type(self).changes += 1


def test_a_copy_to_train_is_in_training_mode_without_gradients() -> None:
    """All modules of it; the model stays as it is."""
    model = nn.Sequential(nn.Linear(2, 2), nn.GRU(2, 2), nn.Dropout()).eval()
    model[0].weight.grad = torch.ones(2, 2)
    copied = duplicate_to_train(model)
    assert all(part.training for part in copied.modules())
    assert not any(part.training for part in model.modules())
    assert all(parameter.grad is None for parameter in copied.parameters())
    assert model[0].weight.grad is not None


def test_a_module_that_sees_to_its_mode_itself_is_asked() -> None:
    """By its class or by itself: what it keeps in evaluation stays there."""
    copied = duplicate_to_train(Frozen().eval())
    assert isinstance(copied, Frozen)
    assert (copied.training, copied.mix.training, copied.norm.training) == (True, True, False)
    norm = nn.BatchNorm1d(2).eval()
    norm.train = lambda mode=True: norm  # type: ignore[method-assign]
    copied = duplicate_to_train(nn.Sequential(norm).eval())
    assert [part.training for part in copied.modules()] == [True, False]


def test_a_module_that_hears_of_attributes_hears_of_its_mode() -> None:
    """As it does when `train` is called."""
    model = Counted()
    before = Counted.changes
    duplicate_to_train(model)
    assert Counted.changes == before + 1
