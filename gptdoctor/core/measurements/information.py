"""What measurements of information flow have in common."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.findings import Place
from gptdoctor.core.specimens import ModelTarget

# With so many seeds harm has to be there: one may be chance.
SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class FlowPlace:
    """Where in the user's code something comes in that should not, or is lost."""

    path: str  # relative to the project's root, with "/"
    symbol: str
    line: int | None
    operation: str = ""  # "softmax", "scaled_dot_product_attention", "tril"


def place_of(place: FlowPlace | None, target: ModelTarget) -> Place:
    """A place for a conviction: the entry of the model where nothing better is known."""
    if place is None:
        return target.entry_place
    return Place(path=place.path, symbol=place.symbol, line=place.line)
