"""Probe backward: one forward and one backward pass of the call that is known to work.

The least that an examination can be: it costs one step, and says that a step is possible.
"""

from __future__ import annotations

from gptdoctor.core.measurements.backward import Backward
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.probes.instruments.requirements import require_known_call
from gptdoctor.probes.probe import Probe
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.places import crash_of
from gptdoctor.specimen.specimen import Specimen


def measure(specimen: Specimen) -> Backward:
    """One loss, and the gradients that it gives."""
    require_known_call(specimen)
    model, inputs = specimen.copy(), specimen.inputs()
    specimen.reseed()
    stage, loss = "forward", None
    crash: Crash | None = None
    try:
        value = specimen.loss(model, inputs)
        loss = value.item()
        stage = "backward"
        value.backward()  # type: ignore[no-untyped-call]
    except FAILURES as error:
        crash = crash_of(error, specimen.root, stage)
    wanting = [parameter for parameter in model.parameters() if parameter.requires_grad]
    gradients = [parameter.grad for parameter in wanting if parameter.grad is not None]
    return Backward(
        objective=specimen.objective,
        loss=loss,
        parameters=len(wanting),
        reached=len(gradients),
        finite=loss is not None
        and loss - loss == 0.0
        and all(bool(gradient.isfinite().all()) for gradient in gradients),
        crash=crash,
    )


PROBE = Probe(name="backward", order=5, measure=measure, records_lines=False)
