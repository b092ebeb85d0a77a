"""The experts that the user wrote, where a library runs others of its own in their place."""

from __future__ import annotations

from dataclasses import replace

from gptdoctor.specimen.own_lines import as_written
from gptdoctor.specimen.specimen import Specimen


def with_own_experts(specimen: Specimen) -> Specimen:
    """The same specimen with its experts run as their class says; itself where they are already.

    A model of transformers may name another way by default (`experts_implementation`).
    """
    model = as_written(specimen.model, specimen.copy)
    return specimen if model is None else replace(specimen, model=model)
