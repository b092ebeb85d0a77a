"""Which parameters the loss reaches, and where it stops."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class ParameterGradient:
    """One named parameter after forward and backward."""

    name: str
    shape: tuple[int, ...]
    state: str  # "flows", "none", "zero", "non-finite", "frozen"
    largest: float | None  # largest absolute gradient; None where there is none
    ran: bool  # the module that owns it was called


@dataclass(frozen=True, kw_only=True)
class GradientCut:
    """A place that ran without recording gradients, and what happens when it records them."""

    path: str
    symbol: str
    line: int  # of the decorator, the with statement or the call
    operation: str  # "no_grad", "inference_mode", "set_grad_enabled", "detach", "tolist"
    # The counterfactual: the same run with only this place neutralised.
    measured: bool
    parameters_gained: tuple[str, ...]  # had no gradient, have one now
    parameters_changed: int  # had one, have another now (gained ones not counted)
    largest_change: float  # relative to the largest gradient of that parameter
    reason: str = ""  # why the counterfactual was not measured
    # Each parameter that works here does the same work with gradients in the same pass: rounds of
    # a loop of which the last ones alone are trained through.
    repeated: bool = False
    # Of what changes gradients and takes none away, what its value is for: "straight-through",
    # "target", "statistic", "side", "kept", "weight" (of a loss); "": it goes on as data.  None:
    # not looked at.
    use: str | None = None
    code: str = ""  # the text of the line, with the comments above it
    build: str = ""  # a deeper instance that comes to this place; "": the specimen does
    of_parameters: int = 0  # that this instance has


@dataclass(frozen=True, kw_only=True)
class LostGradient:
    """A line at which parameters that forward uses lose their last path to the loss."""

    path: str  # "" where no line of the user's was on the stack
    symbol: str
    line: int
    # Of torch: "detach", "data", "topk", "gt", "__float__"; "no_grad" for all that runs without
    # recording, "reentrant checkpoint".
    operation: str
    code: str  # the text of the line, with the comments above it
    parameters: tuple[str, ...]  # none of them has a gradient
    # Whether the loss changes when they do: what only feeds a log has no gradient to lose.
    acts: bool | None  # None: not measured
    through_python: bool  # the value becomes a number, a list, an array or a decision
    twin: str  # another parameter with the very values of one of these, as a teacher's has
    written: tuple[str, ...]  # those that the forward pass itself changes
    trail_from: str  # the nearest of the parameters
    trail: tuple[str, ...]  # the user's lines from it to here, "gpt.py:12 x = self.f(x)"
    # How much of them: rows of a weight that makes queries, keys and values at once, say.
    share: float = 1.0
    build: str = ""  # a deeper instance that comes to this place; "": the specimen does
    of_parameters: int = 0  # that this instance has


@dataclass(frozen=True, kw_only=True)
class LearntNumber:
    """A line at which a learnt scale becomes a number of Python's that the result hears of."""

    path: str
    symbol: str
    line: int
    operation: str  # "item", "__float__"
    code: str  # the text of the line, with the comments above it
    parameter: str
    # The loss's slope by the logarithm of the number here: none of it is in the gradient.
    slope: float


@dataclass(frozen=True, kw_only=True)
class InPlaceWrite:
    """A write into a tensor that backward still needs as it was."""

    path: str
    symbol: str
    line: int
    operation: str  # "add_", "__setitem__", "relu"
    needed_line: int  # of the user's line that made torch keep the tensor, 0: not known


@dataclass(frozen=True, kw_only=True)
class UnusedPart:
    """A module or a parameter that no operation of a forward pass was given."""

    name: str  # qualified
    parameters: tuple[str, ...]
    numbers: int  # in all of them
    path: str  # of the assignment; "" where the text does not show one
    symbol: str
    line: int
    named: bool  # some text of the user's reads an attribute of that name, or may

    @property
    def is_forgotten(self) -> bool:
        """Whether the text makes it, and nothing so much as names it again."""
        return not self.named and self.path != ""


@dataclass(frozen=True, kw_only=True)
class GradientFlow(Measurement):
    """Probe gradient-flow."""

    objective: str  # "own loss", "shifted cross-entropy", "exchanged rows"
    loss: float | None
    batch: int
    length: int
    parameters: tuple[ParameterGradient, ...]
    cuts: tuple[GradientCut, ...]
    crash: Crash | None  # in forward or backward
    lost: tuple[LostGradient, ...] = ()  # where parameters that forward uses lose it
    unused: tuple[UnusedPart, ...] = ()
    numbers: tuple[LearntNumber, ...] = ()  # of scales that have a gradient by another way
    in_place: InPlaceWrite | None = None  # what the crash in backward comes from
