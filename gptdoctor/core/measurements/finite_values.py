"""Whether the numbers of a forward and a backward pass stay finite."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class Spoiled:
    """The first operation that made a number that is not finite of numbers that are."""

    operation: str  # "softmax", "log", "exp"; "": no operation, see `FiniteCase.where`
    result: str  # "NaN", "infinite"
    cause: str  # "masked row", "overflow", "slope", "value", "constant"
    path: str  # "": not in the user's code
    symbol: str
    line: int | None


@dataclass(frozen=True, kw_only=True)
class Uninitialised:
    """A parameter that nothing gives its first values."""

    name: str
    path: str  # of the line that makes it; "": not known
    symbol: str
    line: int | None


@dataclass(frozen=True, kw_only=True)
class FiniteCase:
    """One forward and backward pass of the known call, or one forward pass that evaluates."""

    precision: str  # "float32", "bfloat16"
    moved: bool  # the weights were moved by N(0, 0.02)
    measured: bool
    reason: str  # why it was not measured
    # What is not finite: "weights", "loss", "gradients", "constant", "outputs"; "": nothing.
    where: str
    names: tuple[str, ...]  # of the parameters concerned
    spoiled: Spoiled | None
    evaluating: bool = False  # in evaluation mode, without gradients


@dataclass(frozen=True, kw_only=True)
class FiniteValues(Measurement):
    """Probe finite-values: as built, evaluating, with moved weights, and in bfloat16 autocast."""

    objective: str  # "own loss", "shifted cross-entropy", "exchanged rows"
    cases: tuple[FiniteCase, ...]
    uninitialised: tuple[Uninitialised, ...]  # and the loss depends on them
    initialisation_seen: bool  # whether the model could be built once more, to look for those
