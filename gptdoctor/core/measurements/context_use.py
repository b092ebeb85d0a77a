"""Whether outputs depend on the tokens before them, and on their order."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.information import FlowPlace
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class ContextUse(Measurement):
    """Probe context-use: changes of the last output, relative to the largest of all.

    Each number is the largest over the seeds that were tried: one where all is well, else 3.
    """

    length: int  # T
    precision: str  # "float64", "float32": in which the context was measured
    least_influence: float  # what counts as no noise in that precision
    context: float  # when all earlier tokens are exchanged
    order: float  # when the earlier tokens trade places
    least_order: float  # what counts as no noise for order and positions
    # Attention, recurrence or convolution by name or by what was run; "": nothing mixes positions.
    mixes_by: tuple[str, ...]
    positions: tuple[str, ...]  # what holds positions: "pos_emb.weight", "blocks.0.attn.rope"
    # Of any output, when all that holds positions is exchanged; None: nothing holds them.
    positions_influence: float | None
    positions_are_flat: bool = False  # whether they are tables that say the same of each
    positions_are_zeroed: bool = False  # whether what nothing holds is computed, and times zero
    positions_are_unused: bool = False  # whether the same is computed, and nothing made of it
    # Whether, in a text of one token, all attentions weigh all that they see alike: then nothing
    # but the causal mask tells positions.  None: not asked, or no attention was seen.
    weighs_alike: bool | None
    orders_itself: bool  # recurrence or convolution tells the order without positions
    seeds: int  # that were tried
    context_place: FlowPlace | None  # where the context is lost, if it is
    order_place: FlowPlace | None  # where the positions are lost, if they are

    @property
    def is_blind_to_context(self) -> bool:
        """Whether no earlier token moves the last output."""
        return self.context <= self.least_influence

    @property
    def is_order_blind(self) -> bool:
        """Whether earlier tokens may trade places and nothing moves."""
        return self.order <= self.least_order

    @property
    def positions_are_dead(self) -> bool:
        """Whether what holds positions has no part in the outputs, nor anything else tells them."""
        moves = (self.positions_influence or 0.0) > self.least_order and not self.positions_are_flat
        return not moves and bool(self.weighs_alike) and not self.orders_itself
