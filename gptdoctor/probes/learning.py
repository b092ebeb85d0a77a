"""Probe learning: whether some steps on one small batch bring the loss down."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import perf_counter

import torch
from torch import Tensor, nn

from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.learning import Bottleneck, Learning, LearningRun
from gptdoctor.probes.instruments.backward_watch import BackwardWatch, bottleneck
from gptdoctor.probes.instruments.requirements import has_sure_inputs, require_known_call
from gptdoctor.probes.probe import Abstention, Probe
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.objective import EXCHANGED
from gptdoctor.specimen.places import crash_of
from gptdoctor.specimen.specimen import Specimen

# Few and short, so that a model of any kind can know them by heart; B and T unlike.
BATCH, LENGTH = 2, 12
# 3e-3 serves most small models; 1e-2 those that start with tiny gates; 1e-3 those that explode.
RATES = (3e-3, 1e-2, 1e-3)
MOST_STEPS = 300
# Below a tenth of its start nothing more is learned about the model. Healthy ones need 15 steps
# (median) or 28 (nine of ten).
LEARNT = 0.1
# Twice what nine of ten need in all: a loss that has not moved by 1 % in so many steps is stuck.
PATIENCE, LEAST_PROGRESS = 60, 0.01
# One run of a slow model ends after this long, but not before FEWEST_STEPS.
SECONDS, FEWEST_STEPS = 1.5, 50
# Below this all runs together count as stuck, and the reason is looked for: see verdict.py.
LEAST_PROGRESS_OF_ALL = 0.10
# An operation that passes on less than this share of the gradient stops it: a mean over a batch
# passes on a fifth, a softmax with even scores a hundredth.
BOTTLENECK = 1e-4


@dataclass
class Adam:
    """Kingma & Ba 2015, algorithm 1, with its defaults.

    Written out because the first optimizer of torch.optim imports torch's compiler, which takes
    longer than all that is measured here.
    """

    parameters: list[nn.Parameter]
    learning_rate: float
    steps: int = 0
    means: dict[int, Tensor] = field(default_factory=dict)
    squares: dict[int, Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def step(self) -> None:
        """Move all parameters that have a gradient."""
        self.steps += 1
        scale = math.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)  # bias correction
        for index, parameter in enumerate(self.parameters):
            gradient = parameter.grad
            if gradient is None:
                continue
            if index not in self.means:
                self.means[index] = torch.zeros_like(parameter)
                self.squares[index] = torch.zeros_like(parameter)
            mean, square = self.means[index], self.squares[index]
            mean.lerp_(gradient, 0.1)
            square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            update = mean / square.sqrt().add_(1e-8)
            parameter.sub_(update, alpha=self.learning_rate * scale)


def descend(
    model: nn.Module, loss_of: Callable[[], Tensor], learning_rate: float
) -> tuple[LearningRun, list[float]]:
    """Train `model` on one objective; the run, and the seconds that each step took."""
    adam = Adam([p for p in model.parameters() if p.requires_grad], learning_rate)
    losses: list[float] = []
    seconds: list[float] = []
    started = perf_counter()
    while not _over(losses, perf_counter() - started):
        before = perf_counter()
        model.zero_grad(set_to_none=True)
        loss = loss_of()
        losses.append(loss.item())
        if not loss.requires_grad:
            break  # nothing that is trained has a part in it
        loss.backward()  # type: ignore[no-untyped-call]
        if all(parameter.grad is None for parameter in adam.parameters):
            break  # it is a leaf of its own: `torch.tensor(x, requires_grad=True)`
        adam.step()
        seconds.append(perf_counter() - before)
    finite = [loss for loss in losses if math.isfinite(loss)]
    run = LearningRun(
        learning_rate=learning_rate,
        first_loss=losses[0],
        best_loss=min(finite, default=math.nan),
        steps=adam.steps,
        stays_finite=math.isfinite(losses[-1]),
        steps_to_tenth=next((i for i, loss in enumerate(losses) if _learnt(loss, losses[0])), None),
    )
    return run, seconds


def _learnt(loss: float, first: float) -> bool:
    return loss < first - (1 - LEARNT) * abs(first)  # a loss of the model's own may be negative


def _over(losses: list[float], seconds: float) -> bool:
    """Whether a run with these losses need not go on."""
    if not losses:
        return False
    if not math.isfinite(losses[-1]) or _learnt(losses[-1], losses[0]):
        return True
    before = min(losses[:-PATIENCE], default=math.inf)
    stuck = min(losses[-PATIENCE:]) > before - LEAST_PROGRESS * abs(before)
    late = seconds > SECONDS and len(losses) >= FEWEST_STEPS
    return stuck or late or len(losses) >= MOST_STEPS


def _batch(specimen: Specimen) -> tuple[int, int]:
    """B and T: the usual ones, or those of the known call where the usual ones crash."""
    try:
        inputs = specimen.make_inputs(BATCH, LENGTH, specimen.seed)
        with torch.no_grad():
            specimen.loss(specimen.copy(), inputs)
    except FAILURES:
        return specimen.construction.batch, specimen.construction.length
    return BATCH, LENGTH


class _Objective:
    """The loss of a fresh copy on one batch, which knows whether the last forward came back."""

    def __init__(self, specimen: Specimen, batch: int, length: int) -> None:
        self.model = specimen.copy()
        self.returned = False
        self._inputs = specimen.make_inputs(batch, length, specimen.seed)
        self._loss = specimen.loss
        specimen.reseed()

    def __call__(self) -> Tensor:
        self.returned = False
        loss = self._loss(self.model, self._inputs)
        self.returned = True
        return loss


def measure(specimen: Specimen) -> Learning:
    """Runs at rising patience: the first that learns is enough."""
    require_known_call(specimen)
    batch, length = _batch(specimen)
    runs: list[LearningRun] = []
    seconds: list[float] = []
    crash: Crash | None = None
    for rate in RATES:
        objective = _Objective(specimen, batch, length)
        try:
            run, took = descend(objective.model, objective, rate)
        except FAILURES as error:
            crash = crash_of(error, specimen.root, "backward" if objective.returned else "forward")
            break
        runs.append(run)
        seconds += took
        if run.steps_to_tenth is not None or not took:
            break
    found = Learning(
        objective=specimen.objective,
        batch=batch,
        length=length,
        runs=tuple(runs),
        milliseconds_per_step=1000 * statistics.median(seconds) if seconds else 0.0,
        crash=crash,
    )
    stuck = found.progress is not None and found.progress < LEAST_PROGRESS_OF_ALL
    if stuck and any(own.classes for own in specimen.own_losses[:1]):
        raise Abstention("its loss does not fall on labels that were guessed, and may want others")
    if stuck and specimen.objective == EXCHANGED and not has_sure_inputs(specimen):
        raise Abstention("its outputs do not learn, of inputs that nothing says to be token ids")
    if not stuck:
        return found
    found = replace(found, bottleneck=_bottleneck(specimen, batch, length))
    stopped = found.bottleneck is not None and found.bottleneck.path  # by a line of the user's
    if specimen.objective == EXCHANGED and not stopped:
        raise Abstention(
            "its outputs do not learn a task of ours, and nothing stops their gradient"
        )
    return found


def _bottleneck(specimen: Specimen, batch: int, length: int) -> Bottleneck | None:
    """The operation at which the gradient of the first step ends, if there is one."""
    objective = _Objective(specimen, batch, length)
    watch = BackwardWatch(root=specimen.root)
    try:
        with warnings.catch_warnings(), watch:
            warnings.simplefilter("ignore")  # torch would name our frame for the user's
            loss = objective()
        loss.backward()  # type: ignore[no-untyped-call]
    except FAILURES:
        return None
    found = bottleneck(watch, BOTTLENECK)
    if found is None:
        return None
    operation, share = found
    place = operation.place
    return Bottleneck(
        operation=operation.name.strip("_"),
        share=share,
        path=place.path if place is not None else "",
        symbol=place.symbol if place is not None else "",
        line=place.line if place is not None else None,
    )


PROBE = Probe(name="learning", order=70, measure=measure, records_lines=False, fast=True)
