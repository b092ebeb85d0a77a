"""What measurements of information flow have in common."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FlowPlace:
    """Where in the user's code something comes in that should not, or is lost."""

    path: str  # relative to the project's root, with "/"
    symbol: str
    line: int | None
    operation: str = ""  # "softmax", "scaled_dot_product_attention", "tril"
