"""One call of a model's entry, tried on a copy."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from gptdoctor.specimen.duplicate import duplicate_to_train
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.meeting import Meeting
from gptdoctor.specimen.specimen import Outputs

# B and T that are tried, best first: different primes, unlike every width; then equal, for a
# model that has mixed the two up; then what models that take one row, whole chunks, or one token
# at a time can run.
SHAPES = ((3, 7), (5, 5), (1, 7), (2, 8), (2, 32), (3, 1), (1, 1))


class NoCallError(Exception):
    """The entry could not be called; the text says what was tried."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What became of one call."""

    recipe: Recipe
    batch: int
    length: int
    outputs: Outputs | None
    error: BaseException | None

    @property
    def full(self) -> bool:
        """Whether logits [B, T, V] came out, or a loss instead of any logits."""
        logits = None if self.outputs is None else self.outputs.logits
        if logits is None:
            return self.outputs is not None and self.outputs.loss is not None
        return logits.shape[:2] == (self.batch, self.length)

    @property
    def works(self) -> bool:
        """Whether the call is of use: also where the last position's logits [B, 1, V] came out."""
        logits = None if self.outputs is None else self.outputs.logits
        return self.full or (logits is not None and logits.shape[:2] == (self.batch, 1))

    @property
    def runs(self) -> bool:
        """Whether the call gives anything to train with: also vectors that are no logits."""
        bare = self.outputs is not None and self.outputs.features is not None
        return self.works or bare


def attempt(model: nn.Module, recipe: Recipe, batch: int, length: int, seed: int) -> Trial:
    """Run one call on a copy, so that a forward that writes state leaves the model as it was."""
    outputs, error = None, None
    try:
        trial_model = duplicate_to_train(model)
        torch.manual_seed(seed)
        with torch.no_grad():
            outputs = recipe.call(trial_model, recipe.inputs(batch, length, seed))
    except FAILURES as caught:
        error = caught
    return Trial(recipe=recipe, batch=batch, length=length, outputs=outputs, error=error)


def run_quietly(
    model: nn.Module, recipe: Recipe, inputs: Mapping[str, Any], meeting: Meeting
) -> None:
    """Run the entry under `meeting`, whatever becomes of it."""
    try:
        watched = duplicate_to_train(model)
        with torch.no_grad(), warnings.catch_warnings(), meeting:
            warnings.simplefilter("ignore")  # torch would name the meeting's frame
            recipe.run(watched, inputs)
    except FAILURES:
        return


def within_logits(trial: Trial) -> Trial:
    """The trial with no ids that its logits cannot name.

    An embedding may have rows for more than words, such as a mask: no text has them, and no loss
    takes them for labels.
    """
    logits = None if trial.outputs is None else trial.outputs.logits
    if logits is None or not trial.full:
        return trial
    return replace(trial, recipe=trial.recipe.within(logits.shape[-1]))
