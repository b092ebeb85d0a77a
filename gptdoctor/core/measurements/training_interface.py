"""Whether the model offers a loss of its own."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class TrainingInterface(Measurement):
    """Probe training-interface."""

    label_parameters: tuple[str, ...]  # parameters of the entry that take labels
    loss_returned: bool  # calling the entry gave a scalar that reaches the parameters
    loss_methods: tuple[str, ...]  # other methods of the model that gave such a scalar
    # The parameter that takes labels and makes nothing of them: no output, whatever they are, and
    # no number on the way; "": there is none, or it is not known.
    idle_labels: str
    idle_at: Place | None  # where the text puts nothing in the place of the loss
    loss: float | None  # the value seen, in nats
    uniform_loss: float  # ln V, in nats: the loss of a model that knows nothing
    # The method named for training that runs the model on a batch, and makes no number of what it
    # gives; "": there is none.
    empty_step: str = ""
    empty_step_call: str = ""  # as a test writes it; "": it has no short form
    empty_step_at: Place | None = None
