"""Whether a model's parameters are known as such, and stay what they are."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class Unregistered:
    """Weights that the loss reaches and that `model.parameters()` does not name."""

    owner: str  # qualified name of the module that holds them, "" for the model itself
    attribute: str  # of the owner, which holds them
    container: str  # class of what the attribute holds: "list", "dict", "Tensor"
    names: tuple[str, ...]  # within the attribute: "0.weight", "" for the attribute itself
    numbers: int  # in all of them
    path: str  # of the assignment; "" where the text does not show one
    symbol: str
    line: int
    handed_in: bool  # a list of one name: a module is held past torch on purpose


@dataclass(frozen=True, kw_only=True)
class Overwritten:
    """Parameters that were registered before a forward pass and are others after it."""

    names: tuple[str, ...]
    how: str  # "removed": none of that name is left; "replaced": a new one at each pass
    path: str  # of the assignment that did it
    symbol: str
    line: int


@dataclass(frozen=True, kw_only=True)
class BrokenTie:
    """Two weights that the text makes one, and that are two."""

    first: str
    second: str
    path: str  # of the statement that ties them
    symbol: str
    line: int
    alike: bool  # they hold the same values: a copy was made
    setting: str  # that says "tied", "tie_weights"; "": the statement at the place says it
    one_memory: bool = False  # two parameters look at the same numbers


@dataclass(frozen=True, kw_only=True)
class PlainWeight:
    """Numbers that the loss depends on, in a tensor that is neither parameter nor buffer."""

    owner: str  # qualified name of the module that holds them, "" for the model itself
    attribute: str
    kind: str  # "random": drawn when the model is made; "constant": zeros added, ones multiplied
    numbers: int
    shape: tuple[int, ...]
    path: str
    symbol: str
    line: int
    code: str  # the text of the line, with the comments above it


@dataclass(frozen=True, kw_only=True)
class FrozenHead:
    """The layer that makes the logits asks for no gradient, and all the rest does."""

    name: str  # of its weight
    numbers: int
    trained: int  # numbers of the model that are trained
    path: str  # of the statement that freezes it
    symbol: str
    line: int
    code: str  # the text of the line, with the comments above it


@dataclass(frozen=True, kw_only=True)
class ParameterRegistration(Measurement):
    """Probe parameter-registration."""

    parameters: int  # tensors that `model.parameters()` names
    leaves: int  # tensors that the loss gives a gradient
    unregistered: tuple[Unregistered, ...]
    overwritten: tuple[Overwritten, ...]
    broken_ties: tuple[BrokenTie, ...] = ()
    plain: tuple[PlainWeight, ...] = ()
    frozen_head: FrozenHead | None = None
