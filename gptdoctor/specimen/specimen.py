"""The live model under examination, and the calls that run it."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.specimens import ModelTarget
from gptdoctor.specimen.duplicate import duplicate_to_train

if TYPE_CHECKING:  # they are made of what is here
    from gptdoctor.specimen.class_labels import ClassLabels
    from gptdoctor.specimen.full_sizes import FullSize
    from gptdoctor.specimen.inputs import Recipe
    from gptdoctor.specimen.label_conventions import Convention
    from gptdoctor.specimen.labels import LabelsOf
    from gptdoctor.specimen.module_sizes import Change


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What one call of the model gave, in one form whatever it returned."""

    logits: Tensor | None  # [B, T, V]
    loss: Tensor | None  # scalar of the model's own
    raw: Any
    # [B, ...], where there are neither logits nor a loss: what a backbone or a classifier gives
    features: Tensor | None = None


# A scalar for a model and inputs as `make_inputs` gives them.
Loss = Callable[[nn.Module, Mapping[str, Any]], Tensor]


@dataclass(frozen=True, kw_only=True)
class OwnLoss:
    """One way in which the model itself gives a loss."""

    name: str  # of the entry's label parameter, or of the method
    run: Loss
    labels: str = ""  # the parameter that takes labels; "": none, or they lie in a batch
    # The same with labels made by another function; None: no labels are given at all.
    relabelled: Callable[[LabelsOf], Loss] | None = None
    heard: bool = True  # False: a method's, and nothing hears of it; no loss to train with
    asked: bool = False  # by a switch of the entry, such as return_loss
    promised: bool = False  # by the name of a method that is given labels, or a batch of them
    # The call for `ids` and `labels`, as a test writes it; "": it has no short form.
    call: str = ""
    classes: ClassLabels | None = None  # what its labels are; None: tokens
    # What the labels of each name stand for, as far as anything tells.
    conventions: Mapping[str, Convention] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """A tiny instance, with the call that built it and the call that runs it.

    `model` stays as it was built: a probe works on `copy()`, so that no probe sees what another
    did.  `make_inputs(batch, length, seed)` gives the keyword arguments of the entry, without
    labels; `call(model, inputs)` runs the entry and normalises what it returns.
    """

    model: nn.Module
    target: ModelTarget
    root: str
    seed: int
    construction: Construction
    make_inputs: Callable[[int, int, int], dict[str, Any]] = field(repr=False)
    call: Callable[[nn.Module, Mapping[str, Any]], Outputs] = field(repr=False)
    # The loss to train with, for inputs as `make_inputs` gives them: the model's own where it
    # has one, else shifted cross-entropy of the logits against the ids; without logits, how far
    # the output of each row is from what another row's was at first.
    loss: Callable[[nn.Module, Mapping[str, Any]], Tensor] = field(repr=False)
    objective: str  # "own loss", "shifted cross-entropy", "exchanged rows"
    own_losses: tuple[OwnLoss, ...] = field(default=(), repr=False)  # all that gave a number
    # Which dimension of each input counts the batch; inputs that have none are left out.
    batch_dimensions: Mapping[str, int] = field(default_factory=dict, repr=False)
    only_at: str = ""  # why there are inputs of the construction's B and T alone; "": of any
    recipe: Recipe | None = field(default=None, repr=False)  # behind the call, if it was found
    # What made the sizes small that the model reads from its modules.
    changes: tuple[Change, ...] = field(default=(), repr=False)
    # The sizes that the user's file gives, while the context lasts; None: nobody knows the file.
    full_sizes: Callable[[], AbstractContextManager[Iterator[FullSize]]] | None = field(
        default=None, repr=False
    )
    # Another instance with some sizes changed: `remade(layers=8)`; None: how it was built was told.
    remade: Callable[..., AbstractContextManager[nn.Module | None]] | None = field(
        default=None, repr=False
    )
    remade_code: Callable[..., str] | None = field(default=None, repr=False)  # that makes it

    def copy(self) -> nn.Module:
        """A deep copy with the same weights, in training mode, with no gradients."""
        return duplicate_to_train(self.model)

    def inputs(self) -> dict[str, Any]:
        """The inputs of the call that is known to work."""
        return self.make_inputs(self.construction.batch, self.construction.length, self.seed)

    def reseed(self) -> None:
        """Start all random numbers anew, so that two runs differ by what is changed alone."""
        torch.manual_seed(self.seed)
        random.seed(self.seed)
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            numpy.random.seed(self.seed % 2**32)  # it takes no more bits
