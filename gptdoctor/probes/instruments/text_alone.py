"""The call of a model that may be given pictures or sounds as well, with its text alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gptdoctor.probes.instruments.steady import Steady
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.roles import MODALITIES


def text_alone(steady: Steady) -> Steady | None:
    """The same model without the inputs that may be left out and are no text.

    What stands before the text shifts its positions, and the mask with them.  None: there is
    nothing of the kind, or the call does not run without it.
    """
    specimen = steady.specimen
    inputs = specimen.inputs()
    slots = specimen.recipe.slots if specimen.recipe is not None else ()
    other = {slot.name for slot in slots if slot.kind in MODALITIES and not slot.required}
    if not other.intersection(inputs) or steady.text.name in other:
        return None

    def make_inputs(batch: int, length: int, seed: int) -> dict[str, Any]:
        made = specimen.make_inputs(batch, length, seed)
        return {name: value for name, value in made.items() if name not in other}

    kept = {
        name: dimension
        for name, dimension in specimen.batch_dimensions.items()
        if name not in other
    }
    alone = replace(specimen, make_inputs=make_inputs, batch_dimensions=kept)
    made = Steady(alone, steady.seed)
    try:
        outputs = made.outputs(alone.inputs())
    except FAILURES:
        return None
    text = made.text.rows(inputs[made.text.name])
    return made if outputs.shape[1] == text.shape[1] else None
