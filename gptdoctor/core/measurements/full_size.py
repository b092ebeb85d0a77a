"""What a model is at the sizes that its own file names, found without allocating it."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.construction import SizedCrash
from gptdoctor.core.measurements.measurement import Measurement

DEFAULT = "default"  # the name of what the model is when nothing is said of its size


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One configuration of the file's own, built and run with tensors that have no data.

    `outcome`: "ok", all passes ran; "stopped", something kept the passes from going on (`reason`)
    and says nothing of the model; "crashed", the user's code failed at its own sizes (`failure`).
    `reached` is the last pass that ran, so that the numbers of "construction" hold in all three.
    """

    name: str  # "default", "GPTConfig.gpt2_xl()", "CONFIGS['7b']"
    build: str  # code that makes it
    filled: tuple[str, ...]  # arguments that the file leaves open, and that we chose
    outcome: str  # "ok", "stopped", "crashed"
    reached: str  # "nothing", "construction", "forward", "backward"
    reason: str  # one sentence; "" where all is well
    parameters: int
    weight_bytes: int  # of all parameters, in their own dtype
    gradient_bytes: int  # one for each parameter that is trained, in its dtype
    adamw_bytes: int  # two moments for each parameter that is trained, in its dtype
    batch: int  # of the last call; 0: none was made
    length: int
    logits_shape: tuple[int, ...] | None  # None: not reached, or no logits among the outputs
    # The largest tensor that the forward pass makes, views of others not counted.
    largest_intermediate_bytes: int | None
    failure: SizedCrash | None


@dataclass(frozen=True, kw_only=True)
class FullSize(Measurement):
    """Probe full-size; no configuration means that the file names none larger than the specimen."""

    specimen_parameters: int
    configurations: tuple[Configuration, ...]  # the default first, then the largest ones
    seconds: float
    stopped: str  # why the search ended early; "" where it did not

    def convicted(self) -> tuple[Configuration, ...]:
        """The default, where the code breaks at it.

        A check of the user's own that refuses, or a size that is named for another use, is not
        the code's fault.
        """
        return tuple(
            one
            for one in self.configurations
            if one.name == DEFAULT and one.failure is not None and one.failure.crash.own
        )
