"""The experts that the user wrote, where a library runs others of its own in their place."""

from __future__ import annotations

from dataclasses import replace

from gptdoctor.specimen.specimen import Specimen

# What transformers calls the forward pass of the class itself; anything else is its own product
# of stacked weights, which runs none of the user's lines.
_AS_WRITTEN = "eager"


def with_own_experts(specimen: Specimen) -> Specimen:
    """The same specimen with its experts run as their class says; itself where they are already.

    A model of transformers may name another way by default (`experts_implementation`).
    """
    current = getattr(getattr(specimen.model, "config", None), "_experts_implementation", None)
    if current in (None, _AS_WRITTEN):
        return specimen
    model = specimen.copy()
    switch = getattr(model, "set_experts_implementation", None)
    try:
        switch(_AS_WRITTEN)  # type: ignore[misc]
    except Exception:  # there is no such way for this model
        return specimen
    return replace(specimen, model=model)
