"""Runs that differ in nothing but the places that stop gradients: what each of them costs."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.gradient_flow import GradientCut
from gptdoctor.probes.instruments.gradient_cuts import Cut, GradientCuts
from gptdoctor.probes.instruments.stack import Line
from gptdoctor.probes.instruments.weights import jitter
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.places import crash_of
from gptdoctor.specimen.specimen import Specimen

# Moves zero-initialised gates off zero, without moving the model far from where it starts.
JITTER = 0.02
# Two gradients of one graph differ by rounding, 3.3e-7 of the largest at most as measured on
# many models; a path that opens adds far more.
LEAST_CHANGE = 1e-5
# A gradient below this share of the model's largest is rounding around a mathematical zero, as
# that of a key projection's bias is.
ROUNDING = 1e-7
# All counterfactuals together may take this long; what is left over is said to be unmeasured.
SECONDS = 3.0
Gradients = Mapping[str, Tensor | None]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What one set of gradients has that another has not."""

    gained: tuple[str, ...]
    changed: int
    largest: float  # change of a gradient, relative to the largest of that parameter

    def __bool__(self) -> bool:
        return bool(self.gained or self.changed)


def gradient_difference(before: Gradients, after: Gradients, least: float) -> Difference:
    """The parameters whose gradient is there only in `after`, or differs by more than `least`."""
    known = {name: new for name, new in after.items() if new is not None and new.numel()}
    scale = max((float(new.abs().max()) for new in known.values()), default=0.0)
    gained, changed, largest = [], 0, 0.0
    for name, new in known.items():
        if float(new.abs().max()) <= ROUNDING * scale:
            continue
        old = before.get(name)
        if old is None or not old.any():
            gained.append(name)
            continue
        size = max(float(new.abs().max()), float(old.abs().max()))
        change = float((new - old).abs().max()) / size
        if change > least:
            changed, largest = changed + 1, max(largest, change)
    return Difference(gained=tuple(gained), changed=changed, largest=largest)


@dataclass(kw_only=True)
class Run:
    """What forward and backward of some batches left behind."""

    model: nn.Module
    loss: float | None = None
    crash: Crash | None = None
    ran: set[str] = field(default_factory=set)  # parameters whose module was called, or used
    cuts: dict[Cut, None] = field(default_factory=dict)
    once: set[Cut] = field(default_factory=set)  # those whose work is not done with gradients too
    # Learnt scales that become numbers, by line and operation, with the parameter's name.
    numbers: dict[tuple[Line, str], str] = field(default_factory=dict)

    def gradients(self) -> dict[str, Tensor | None]:
        """The gradient of each named parameter, None where it has none."""
        return {name: parameter.grad for name, parameter in self.model.named_parameters()}

    def add(self, other: Run) -> None:
        """Add what another run, of a copy of the model, left behind."""
        self.crash = self.crash or other.crash
        self.ran |= other.ran
        self.cuts.update(other.cuts)
        self.once |= other.once
        for mine, others in zip(self.model.parameters(), other.model.parameters(), strict=True):
            if others.grad is not None:
                mine.grad = others.grad if mine.grad is None else mine.grad + others.grad


def accumulate(
    run: Run,
    specimen: Specimen,
    seeds: Iterable[int],
    undone: frozenset[Cut] = frozenset(),
) -> None:
    """Add the gradients of a batch for each seed to those of `run`, until one crashes."""
    for seed in seeds:
        watch, called = GradientCuts(run.model, specimen.root, undone), _Called()
        hook = register_module_forward_pre_hook(called)
        try:
            run.crash = _step(run, specimen, seed, watch)
            if run.crash is not None and run.crash.stage == "forward" and not undone:
                # only what also happens unwatched is the user's
                run.crash = _step(run, specimen, seed, nullcontext())
        finally:
            hook.remove()
            run.cuts.update(watch.found)
            run.once |= watch.once
            run.numbers.update(_named_numbers(run.model, watch))
            run.ran |= _names(run.model, called.modules, watch.used)
        if run.crash is not None:
            return


def _step(
    run: Run, specimen: Specimen, seed: int, watch: AbstractContextManager[object]
) -> Crash | None:
    """Forward and backward of one batch; the crash, if it came to one."""
    construction, stage = specimen.construction, "forward"
    try:
        inputs = specimen.make_inputs(construction.batch, construction.length, seed)
        specimen.reseed()
        with warnings.catch_warnings(), watch:
            warnings.simplefilter("ignore")  # torch would name our frame for the user's
            loss = specimen.loss(run.model, inputs)
        run.loss = loss.item() if run.loss is None else run.loss
        stage = "backward"
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
    except FAILURES as error:
        return crash_of(error, specimen.root, stage)
    finally:
        torch._C._set_grad_enabled(True)  # a forward may have left it switched off
    return None


def _named_numbers(model: nn.Module, watch: GradientCuts) -> dict[tuple[Line, str], str]:
    names = {id(each): name for name, each in model.named_parameters()}
    return {key: names[id(one)] for key, one in watch.numbers.items() if id(one) in names}


class _Called:
    """A hook that notes which modules were called."""

    def __init__(self) -> None:
        self.modules: set[int] = set()

    def __call__(self, module: nn.Module, args: object) -> None:
        self.modules.add(id(module))


def _names(model: nn.Module, called: set[int], used: set[int]) -> set[str]:
    """The parameters that an operation was given, or whose module was called."""
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in model.named_modules()
        for name, parameter in module.named_parameters(recurse=False)
        if id(module) in called or id(parameter) in used
    }


def moved_run(specimen: Specimen, undone: frozenset[Cut] = frozenset(), batches: int = 2) -> Run:
    """A run with moved weights and with the places in `undone` recording gradients.

    Each batch has a copy of its own: a cache that now carries the graph of the batch before would
    end the next one.
    """
    whole = Run(model=jitter(specimen.copy(), JITTER, specimen.seed))
    accumulate(whole, specimen, [specimen.seed], undone)
    for seed in range(specimen.seed + 1, specimen.seed + batches):
        run = Run(model=jitter(specimen.copy(), JITTER, specimen.seed))
        accumulate(run, specimen, [seed], undone)
        whole.add(run)
    return whole


class Counterfactuals:
    """Runs that differ in nothing but the places that are undone."""

    def __init__(self, specimen: Specimen) -> None:
        self._specimen = specimen
        self._until = perf_counter() + SECONDS
        self._runs: dict[frozenset[Cut], Run] = {}
        self.base = self._run(frozenset())
        noise = gradient_difference(
            self.base.gradients(), moved_run(specimen).gradients(), LEAST_CHANGE
        )
        # Where two equal runs differ, ten times that difference still is noise.
        self._least = max(LEAST_CHANGE, 10 * noise.largest)

    def _run(self, undone: frozenset[Cut]) -> Run:
        if undone not in self._runs:
            self._runs[undone] = moved_run(self._specimen, undone)
        return self._runs[undone]

    def of(self, cuts: dict[Cut, None]) -> Iterator[GradientCut]:
        """Each place undone alone; those that need another one undone as well are told apart."""
        alone = {cut: self._alone(cut) for cut in cuts}
        hidden = [c for run in list(self._runs.values()) for c in run.cuts if c not in cuts]
        every = frozenset([*cuts, *hidden])
        for cut in dict.fromkeys([*cuts, *hidden]):
            found = alone.get(cut, Difference(gained=(), changed=0, largest=0.0))
            if isinstance(found, Difference) and not found and len(every) > 1:
                others = every - {cut}
                with_others = self._between(others, every)
                if isinstance(with_others, Difference) and with_others:
                    found = "gradients change only when " + _listed(others) + " is undone as well"
            repeated = cut in self.base.cuts and cut not in self.base.once
            yield _gradient_cut(cut, found, repeated=repeated)

    def _alone(self, cut: Cut) -> Difference | str:
        return self._between(frozenset(), frozenset({cut}))

    def _between(self, before: frozenset[Cut], after: frozenset[Cut]) -> Difference | str:
        """What undoing `after` gives beyond undoing `before`, or why that is not known."""
        if perf_counter() > self._until:
            return "time was up"
        first, second = self._run(before), self._run(after)
        for run in (first, second):
            if run.crash is not None:
                return f"without this place: {run.crash.kind}: {run.crash.message}"
        if any(g is not None and not g.isfinite().all() for g in second.gradients().values()):
            return "without this place gradients are not finite"
        return gradient_difference(first.gradients(), second.gradients(), self._least)


def _listed(cuts: frozenset[Cut]) -> str:
    return ", ".join(sorted(f"{place.symbol}:{place.line}" for place, _ in cuts))


def _gradient_cut(cut: Cut, found: Difference | str, *, repeated: bool) -> GradientCut:
    place, operation = cut
    known = isinstance(found, Difference)
    return GradientCut(
        path=place.path,
        symbol=place.symbol,
        line=place.line or 0,
        operation=operation,
        measured=known,
        parameters_gained=found.gained if isinstance(found, Difference) else (),
        parameters_changed=found.changed if isinstance(found, Difference) else 0,
        largest_change=found.largest if isinstance(found, Difference) else 0.0,
        reason="" if isinstance(found, Difference) else found,
        repeated=repeated,
    )
