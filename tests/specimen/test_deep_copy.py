"""Deep copies of modules: the same as the library's, whatever a module holds."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from gptdoctor.specimen.deep_copy import deep_copy

Copy = Callable[[nn.Module], nn.Module]
COPIES = pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda model: deep_copy(model, {})], ids=["library", "ours"]
)


class Holder(nn.Module):
    """Holds the same things in several places."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("mask", torch.ones(3))
        self.view = self.mask  # the same tensor under another name
        self.inner = nn.ModuleList([nn.Linear(4, 4), nn.ReLU()])
        self.plain = [self.inner[0], {"width": 4}]  # modules in a list of Python's
        self.shared: dict[str, Any] = {}
        self.inner[0].shared = self.shared
        self.me = [self]
        self.names = OrderedDict(a={1, 2}, b=(self.head, "x"))
        self.seen: set[int] = set()
        self.again = self.seen
        self.act = torch.relu


@COPIES
def test_what_was_one_is_one_and_nothing_is_shared_with_the_model(copied: Copy) -> None:
    """Tied weights, a table that two modules hold, a model that holds itself."""
    model = Holder()
    made: Any = copied(model)
    assert made.head.weight is made.embed.weight is not model.embed.weight
    assert made.view is made.mask is not model.mask
    assert made.plain[0] is made.inner[0] is not model.inner[0]
    assert made.inner[0].shared is made.shared is not model.shared
    assert made.me[0] is made
    assert made.names["b"][0] is made.head
    assert made.again is made.seen is not model.seen
    assert made.plain[1] is not model.plain[1]
    assert (made.plain[1], made.names["a"], made.act) == ({"width": 4}, {1, 2}, torch.relu)
    assert list(made.state_dict()) == list(model.state_dict())
    assert all(torch.equal(made.state_dict()[name], one) for name, one in model.named_parameters())
    assert vars(made).keys() == vars(model).keys()


@COPIES
def test_what_a_parameter_is_stays(copied: Copy) -> None:
    """Frozen, in another order of memory, without the gradient of the model's."""
    model = nn.Linear(3, 4)
    model.weight = nn.Parameter(torch.randn(3, 4).t(), requires_grad=False)
    model(torch.ones(1, 3)).sum().backward()
    made = copied(model)
    assert isinstance(made, nn.Linear)
    assert made.weight.stride() == model.weight.stride()
    assert (made.weight.requires_grad, made.bias.requires_grad) == (False, True)
    assert model.bias.grad is not None
    assert made.bias.grad is None


class Own(nn.Module):
    """Says itself how it is copied."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Own:
        return self


class Reduced(nn.Linear):
    """Is made anew by a call."""

    def __reduce__(self) -> Any:
        return Reduced, (7, 7)


class Stateful(nn.Module):
    """Leaves out, and puts back, a part of its state."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "open"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.open = "anew"


class Delegating(nn.Module):
    """Has what its part has."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Linear(2, 2)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("part"), name)


@COPIES
def test_a_class_has_its_say(copied: Copy) -> None:
    """In each of the ways that Python knows."""
    stateful = Stateful()
    stateful.open = "once"
    model: Any = nn.ModuleList([Own(), Reduced(2, 2), stateful, Delegating()])
    made: Any = copied(model)
    assert made[0] is model[0]
    assert made[1].weight.shape == (7, 7)
    assert made[2].open == "anew"
    assert made[3].in_features == 2
    assert made[3].part is not model[3].part


@COPIES
@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.GRU(3, 5, 2, batch_first=True),
        lambda: parametrizations.weight_norm(nn.Linear(3, 5)),
        lambda: parametrizations.spectral_norm(nn.Linear(3, 5)).eval(),
        lambda: nn.TransformerEncoderLayer(3, 1, 5, 0.0, nn.functional.gelu, batch_first=True),
        lambda: nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(2), nn.GELU()),
    ],
    ids=["recurrent", "weight norm", "spectral norm", "encoder", "norm with buffers"],
)
def test_a_copy_computes_the_same_with_weights_of_its_own(
    copied: Copy, make: Callable[[], nn.Module]
) -> None:
    """Layers of torch's that keep more than a table of weights."""
    model, ids = make(), torch.randn(2, 2, 3)
    made = copied(model)

    def run(module: nn.Module) -> torch.Tensor:
        outputs = module(ids)
        result: torch.Tensor = outputs[0] if isinstance(outputs, tuple) else outputs
        return result

    first = run(model)
    assert torch.equal(run(made), first)
    with torch.no_grad():
        for one in made.parameters():
            one.add_(1.0)
    assert not torch.equal(run(made), first)
    assert torch.equal(run(model), first)


@COPIES
def test_what_cannot_be_copied_is_an_error(copied: Copy) -> None:
    """The result of an operation, as the library says."""
    model = nn.Linear(2, 2)
    model.scaled = model.weight * 2
    with pytest.raises(RuntimeError, match="deepcopy"):
        copied(model)
