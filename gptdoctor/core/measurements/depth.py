"""What the repeated blocks of a model do to gradients on their way."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.specimens import ModelTarget

_LEAST = 1e-30  # in the place of a factor of zero, which has no logarithm
_LEAST_PART = 0.45  # a half, and what the norms of vectors differ from that of them all


@dataclass(frozen=True, kw_only=True)
class MissingPath:
    """Blocks through which no input passes unchanged."""

    block: str  # class of the blocks
    attends: bool  # something in a block is an attention
    joins: int  # additions in one block of something to what was made of it
    intact: bool  # those additions lead back to the block's input, which is small beside the rest
    path: str  # of the line that puts a result in the place of the stream; "": not known
    symbol: str
    line: int | None
    detached: Place | None = None  # the line at which the input, on that way, is cut off


@dataclass(frozen=True, kw_only=True)
class GradientJump:
    """The operation of a block at which the gradient changes most on its way through."""

    place: Place
    operation: str
    factor: float  # norm of the gradient before the operation over that behind it

    def explains(self, factor: float) -> bool:
        """Whether it makes much of what the whole block does, `factor`; else many do a little.

        Of two operations that do as much as each other either is to blame.
        """
        alike = (self.factor > 1) == (factor > 1)
        whole = abs(math.log(factor or _LEAST))
        return alike and abs(math.log(self.factor or _LEAST)) > _LEAST_PART * whole


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A list of like blocks that are called in a row."""

    name: str  # "model.layers"
    path: str  # of the class of the blocks; "": not the user's
    symbol: str  # of it
    blocks: int
    # Norm of the objective's gradient at the median vector of each block's input, first to last.
    gradient_norms: tuple[float, ...]
    input_norms: tuple[float, ...]  # of the inputs themselves
    # How much of a block's input is in its output, in blocks from the second on: the cosine of
    # a random direction with what comes back of it.  1: all that comes out is the input; 0: none.
    identity: float | None
    bypassed: bool  # the stream also goes around the blocks
    missing: MissingPath | None  # looked for where `identity` is low
    jump: GradientJump | None = None  # looked for where the gradient grows or fades

    def place_of_factor(self, target: ModelTarget) -> Place:
        """Where the gradient grows or fades: a line, else the block, else the model."""
        factor = self.gradient_factor
        cut = None if self.missing is None else self.missing.detached
        if cut is not None and factor is not None and factor < 1:
            return cut
        if self.jump is not None and factor is not None and self.jump.explains(factor):
            return self.jump.place
        if self.path:
            return Place(path=self.path, symbol=f"{self.symbol}.forward")
        return Place(path=target.path, symbol=target.name)

    @property
    def gradient_factor(self) -> float | None:
        """What one block multiplies the norm of the gradient by, on its way back.

        From the second block on, and over three at least: the first one stands on embeddings of
        any size.  None where there are fewer.
        """
        norms = self.gradient_norms
        if len(norms) < 4 or not all(0 < norm < float("inf") for norm in norms[1:]):
            return 0.0 if len(norms) >= 4 and norms[1] == 0 < norms[-1] else None
        return float((norms[1] / norms[-1]) ** (1 / (len(norms) - 2)))


@dataclass(frozen=True, kw_only=True)
class Depth(Measurement):
    """Probe depth: the stacks of the model, built deeper where that can be done."""

    stacks: tuple[Stack, ...]
    deeper: bool  # more blocks than the specimen has
    # The expression that builds the deeper one, where a block changes the gradient much or lacks
    # a path for its input; "": it was not asked for, or copies of blocks made it deeper.
    build: str = ""
