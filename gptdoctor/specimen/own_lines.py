"""Which models run lines of a library in the place of their own, and what makes them stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from gptdoctor.specimen.duplicate import duplicate

# What transformers calls the forward pass of the class itself; anything else is its own product
# of stacked weights, which runs none of the user's lines.
AS_WRITTEN = "eager"


def _switch_of(model: nn.Module) -> Callable[[str], Any] | None:
    """What sets the way in which a model's experts are run; None: they are run as written."""
    current = getattr(getattr(model, "config", None), "_experts_implementation", None)
    switch = getattr(model, "set_experts_implementation", None)
    return switch if current not in (None, AS_WRITTEN) and callable(switch) else None


def as_written(model: nn.Module, copied: Callable[[], nn.Module]) -> nn.Module | None:
    """The copy of a model that runs the lines of its class; None: it does itself, or cannot."""
    if _switch_of(model) is None:
        return None
    try:
        copy = copied()
        _switch_of(copy)(AS_WRITTEN)  # type: ignore[misc]
    except Exception:  # it cannot be copied, or there is no such way for this model
        return None
    return copy


def own_lines(model: nn.Module | None) -> str:
    """A statement on `model` with which it runs the lines of its class; "": it does by itself."""
    if model is None or as_written(model, lambda: duplicate(model)) is None:
        return ""
    return f'model.set_experts_implementation("{AS_WRITTEN}")'
