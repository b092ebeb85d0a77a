"""What the parent asks of the worker: which model, from which text, with what limits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from gptdoctor.core.findings import Place


@dataclass(frozen=True, kw_only=True)
class ModelTarget:
    """A main model that the text shows."""

    path: str  # of its file, relative to the project's root, with "/"
    name: str  # of the class, or of the function that makes it
    line: int
    end_line: int
    entry: str  # the method that takes ids: "forward", "forward_step"
    factory: bool = False  # `name` is a function that returns the model
    # Names of the classes that this model is made of (itself included), by walking the text.
    family: tuple[str, ...] = ()

    @property
    def entry_place(self) -> Place:
        """The entry as a place without a line: where nothing better is known of what it does."""
        return Place(path=self.path, symbol=f"{self.name}.{self.entry}")

    @property
    def class_names(self) -> frozenset[str]:
        """The plain names of the classes of the family, and of those that they are nested in."""
        symbols = (part.rpartition("::")[2] for part in self.family)
        return frozenset(name for symbol in symbols for name in symbol.split("."))

    # What the user says: True, that a position sees none after it; False, that it may by design.
    causal: bool | None = None
    # What its files import of installed packages: "einops", "transformers:GPT2Config".
    imports: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ExamineRequest:
    """One job for the worker: examine this model and stream what is measured."""

    target: ModelTarget
    root: str  # absolute path of the project's root
    seed: int
    timeout_seconds: float
    probes: tuple[str, ...] = ()  # empty: all of them
    without: tuple[str, ...] = ()  # probes that are left out all the same
    build: str | None = None  # an expression to build the model with, instead of guessing
    told: bool = False  # `build` is the user's own, and not one that was found before
    call: str | None = None  # an expression that runs `model`, instead of guessing
    memory_bytes: int | None = None  # above what torch itself maps; None: half of the machine's
    # Text that stands for files on disk, by path relative to the root: how repairs are proven.
    overlay: Mapping[str, str] = field(default_factory=dict)
    devices: bool = False  # let the model see accelerators
    fast: bool = False  # the quick probes alone


def is_asked(probe: str, probes: Collection[str], without: Collection[str]) -> bool:
    """Whether a probe is among `probes`, of which none means all, and not among those left out."""
    return (not probes or probe in probes) and probe not in without
