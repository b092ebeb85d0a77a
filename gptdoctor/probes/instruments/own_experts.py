"""The experts that the user wrote, where a library runs others of its own in their place."""

from __future__ import annotations

from dataclasses import replace

from gptdoctor.specimen.own_lines import AS_WRITTEN, switch_of
from gptdoctor.specimen.specimen import Specimen


def with_own_experts(specimen: Specimen) -> Specimen:
    """The same specimen with its experts run as their class says; itself where they are already.

    A model of transformers may name another way by default (`experts_implementation`).
    """
    if switch_of(specimen.model) is None:
        return specimen
    model = specimen.copy()
    try:
        switch_of(model)(AS_WRITTEN)  # type: ignore[misc]
    except Exception:  # there is no such way for this model
        return specimen
    return replace(specimen, model=model)
