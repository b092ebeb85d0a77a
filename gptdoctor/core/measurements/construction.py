"""How the tiny instance was built and called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class InputFact:
    """One input of the specimen's call."""

    name: str  # of the parameter
    kind: str  # "ids", "labels", "image", "audio", "features", "mask", "positions", "other"
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class SizedCrash:
    """The user's code failed at sane sizes, though it may work at others."""

    build: str  # code that made the instance, or was to make it
    call: str  # "" where it was not made
    sizes: Mapping[str, int]  # by what they measure: "width", "heads", "batch", "length"
    crash: Crash
    # The one size that decides: with `works_at` of it the same call works, all else being equal.
    # "": not proven of any size; the sizes may as well break a requirement of the model.
    decisive: str = ""
    works_at: int | None = None

    @property
    def condition(self) -> str:
        """When it fails and when it does not: "with 4 heads, and works with 1"."""
        size = self.sizes.get(self.decisive)
        if self.decisive == "batch":
            length = self.sizes.get("length")
            return f"at B={size}, T={length}, and works at B={self.works_at}, T={length}"
        noun = {"kv_heads": "key-value heads"}.get(self.decisive, self.decisive)
        return f"with {size} {noun}, and works with {self.works_at}"


@dataclass(frozen=True, kw_only=True)
class Construction(Measurement):
    """Probe construction: three outcomes that are kept apart.

    `built`: an instance exists. `crashed`: the user's code failed at sane sizes (`crash`).
    `not-built`: the tool did not find out how to build it (`tried` says what it attempted).
    """

    outcome: str  # "built", "crashed", "not-built"
    build: str  # code that a user can paste
    call: str
    entry: str
    parameters: int
    vocabulary: int
    batch: int  # B of the call that works, preferably unlike T
    length: int  # T
    inputs: tuple[InputFact, ...]
    optional_inputs: tuple[InputFact, ...]  # accepted, and not needed by the call
    returns: str  # "logits", "logits and loss", "dict with logits", "no logits", "nothing usable"
    crash: Crash | None
    tried: tuple[str, ...]
    sizes: Mapping[str, int] = field(default_factory=dict)  # of the instance, as in `SizedCrash`
    expression: str = ""  # the call for any B and T, as `--call` takes it
    logits: str = ""  # how logits [B, T, V] are read from `output`, what that call returns
    vectors: str = ""  # without logits: how what it gives for each row is read from `output`
    loss: str = ""  # how the loss of its own is read from it, "" where the entry gives none
    loss_labels: str = ""  # the parameter that has to be given labels for that
    labels_are_next: bool = False  # the labels are the ids shifted by one, and not the ids
    classes: str = ""  # code that makes its labels of `ids` where they are classes, no tokens
    # A statement on `model` with which it runs the class's own lines; "": it does by itself.
    own_lines: str = ""
    read: tuple[str, ...] = ()  # the user's tests that were asked how it is built, by path
    imports: tuple[str, ...] = ()  # with which build and call run in a file of their own
    # What this machine lacks to build or run it, with the line that asks: "CUDA (gpt.py:12: ...)".
    lack: str = ""
    # At which sane sizes the code crashes, also where the model was built with others.
    failures: tuple[SizedCrash, ...] = ()
