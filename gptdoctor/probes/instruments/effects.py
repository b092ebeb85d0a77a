"""Whether the loss hears of a parameter, or of a value: it is moved, and the loss looked at."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from time import perf_counter

import torch
from torch import Tensor, nn

from gptdoctor.probes.instruments.gradient_trace import Disturbance, GradientTrace
from gptdoctor.probes.instruments.stack import Line
from gptdoctor.probes.instruments.weights import jitter
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.specimen import Specimen

# Moves zero-initialised gates off zero, as the counterfactuals do.
JITTER = 0.02
# How far a parameter is moved to see whether the loss hears of it, in its own spread: a choice
# or a comparison answers to large changes alone.
MOVES = (0.3, 1.0, 3.0, 3.0)
# Two equal passes in float32 differ by 3.3e-7 of the largest value at most.
LEAST_CHANGE = 1e-6
# A tenth of a number: large beside rounding, and few decisions lie so near.
STEP = 0.1
SECONDS = 2.0  # for all passes of one model


def moved_model(specimen: Specimen) -> nn.Module:
    """A copy of the model, its weights off zero."""
    return jitter(specimen.copy(), JITTER, specimen.seed)


def loss_of(specimen: Specimen, model: nn.Module, seed: int) -> Tensor:
    """The loss of the batch of this seed; raises what the user's code raises."""
    construction = specimen.construction
    inputs = specimen.make_inputs(construction.batch, construction.length, seed)
    specimen.reseed()
    return specimen.loss(model, inputs)


def differ(before: float, after: float | None) -> bool:
    """Whether two losses are unlike each other by more than rounding."""
    return after is not None and abs(after - before) > LEAST_CHANGE * max(abs(before), 1.0)


@torch.no_grad()
def move(parameters: Iterable[Tensor], by: float, generator: torch.Generator) -> None:
    """Add noise to parameters, in place, `by` times as large as the spread of their numbers."""
    for each in parameters:
        spread = float(each.std()) if each.numel() > 1 else 0.0
        size = spread or float(each.abs().max()) or 1.0
        noise = torch.randn(each.shape, generator=generator).to(each)
        each.add_(noise, alpha=by * size)


@torch.no_grad()
def _move_within(one: Tensor, mask: Tensor | None, by: float, generator: torch.Generator) -> None:
    before = one.clone()
    move([one], by, generator)
    if mask is not None:
        one.copy_(torch.where(mask, one, before))


class Effect:
    """What the loss of a model with moved weights does when something else is moved as well."""

    def __init__(self, specimen: Specimen) -> None:
        self._specimen = specimen
        self._until = perf_counter() + SECONDS

    def of(
        self, names: Sequence[str], seed: int, within: Mapping[str, Tensor] | None = None
    ) -> bool | None:
        """Whether the loss changes with these parameters; None: not known.

        `within`: masks, by name, of the part of each that is moved.
        """
        before = self._loss(moved_model(self._specimen), seed)
        if before is None or differ(before, self._loss(moved_model(self._specimen), seed)):
            return None  # a crash, or a loss that is another one each time
        generator = torch.Generator().manual_seed(seed)
        for by in MOVES:
            if perf_counter() > self._until:
                return None
            model = moved_model(self._specimen)  # the last one may have written its state
            held = dict(model.named_parameters())
            for name in names:
                _move_within(held[name], (within or {}).get(name), by, generator)
            if differ(before, self._loss(model, seed)):
                return True
        return False

    def of_value(self, disturbance: Disturbance, seed: int) -> bool:
        """Whether the loss changes with a number, list or array that was made of a tensor."""
        if perf_counter() > self._until:
            return False
        before = self._loss(moved_model(self._specimen), seed)
        after = self._loss(moved_model(self._specimen), seed, disturbance)
        return before is not None and differ(before, after)

    def slope(self, operation: str, line: Line, seed: int) -> float:
        """The loss's slope by the logarithm of a number that a tensor becomes at a line.

        0.0 where the loss hears nothing of it, or takes leaps only, as by a decision.
        """
        if perf_counter() > self._until:
            return 0.0
        before, half, up, down = (
            self._loss(moved_model(self._specimen), seed, Disturbance(operation, line, 1.0 + by))
            for by in (0.0, STEP / 2, STEP, -STEP)
        )
        if before is None or half is None or up is None or down is None:
            return 0.0
        if not (differ(before, half) and differ(before, up) and differ(before, down)):
            return 0.0
        # a straight line has 1 and 2 here, a parabola's foot -1; a leap has 1 and 1, or none
        turns, grows = (before - down) / (up - before), (up - before) / (half - before)
        return (up - down) / (2 * STEP) if turns > 0.3 and 1.4 < grows < 2.8 else 0.0

    def _loss(
        self, model: nn.Module, seed: int, disturbance: Disturbance | None = None
    ) -> float | None:
        """The loss of one pass; None where it crashes or is no number."""
        root = self._specimen.root
        watch = GradientTrace(model, root, disturbance) if disturbance else nullcontext()
        try:
            with warnings.catch_warnings(), watch:
                warnings.simplefilter("ignore")
                loss = loss_of(self._specimen, model, seed)
            value = float(loss.detach())
        except FAILURES:
            return None
        finally:
            torch._C._set_grad_enabled(True)
        return value if value - value == 0.0 else None
