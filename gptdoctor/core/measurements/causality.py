"""What later tokens do to the outputs of earlier positions."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.information import SEEDS, FlowPlace
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord


@dataclass(frozen=True, kw_only=True)
class FutureRun:
    """One comparison: the text with later tokens changed, at one length, called in one way."""

    # "as called", "in training", "attention: eager", "use_flash=False", "attention_mask of ones"
    how: str
    length: int  # T
    influence: float  # largest change of an earlier output, relative to the largest of all
    # The first output that moves (lowest position, from 0), and the nearest later token that moves
    # it; None: none moves.
    output_position: int | None
    token_position: int | None
    farthest_ahead: int  # positions between an output and the last token that moves it


@dataclass(frozen=True, kw_only=True)
class AttentionView:
    """What an attention lets its positions see, read from the mask that it was run with."""

    place: FlowPlace
    # "causal", "everything", "only later", "never itself", "ahead", "only itself", "other"
    pattern: str
    ahead: int  # positions that it sees ahead; 0: none


@dataclass(frozen=True, kw_only=True)
class Causality(Measurement):
    """Probe causality."""

    least_influence: float  # what counts as no noise
    finite: bool  # False: the outputs are no numbers, and nothing was compared
    runs: tuple[FutureRun, ...]
    views: tuple[AttentionView, ...]
    # Whether a leak, if there is one, held with 3 seeds, and at so many lengths.
    seeds_leaking: int
    lengths_leaking: int
    lengths_compared: int  # at which it was looked for
    sees_past: bool | None  # whether any earlier token moves a later output
    place: FlowPlace | None  # where the future comes in, if it does
    cause: str  # in words, what lets it in there; "": not known
    not_run: tuple[str, ...] = ()  # ways to call it that could not be compared
    # The input that hides the future if a causal mask is given as it; "": none, or not tried.
    caller_mask: str = ""
    # Whether it has to be causal by itself: so says its name, the user, or a loss of its own, for
    # which a call with a text and its labels is all that it needs.
    promised: bool = False

    @property
    def leaks(self) -> bool:
        """Whether later tokens move earlier outputs, with all seeds, and at two lengths if any."""
        enough = min(2, self.lengths_compared)
        return self.seeds_leaking == SEEDS and self.lengths_leaking >= enough

    @property
    def left_to_the_caller(self) -> bool:
        """Whether it is the caller who hides the future, and nothing says otherwise."""
        return self.leaks and bool(self.caller_mask) and not self.promised

    @property
    def misplaced_view(self) -> AttentionView | None:
        """An attention whose mask hides the wrong positions, if there is one."""
        wrong = {"never itself"} | ({"only later"} if self.leaks or not self.finite else set())
        return next((view for view in self.views if view.pattern in wrong), None)

    @property
    def misplaced(self) -> bool:
        """Whether a mask lies in the wrong place, rather than being absent or too wide."""
        only_later = self.leaks and self.sees_past is False
        return not self.finite or only_later or self.misplaced_view is not None


def mask_is_misplaced(record: ModelRecord) -> bool:
    """Whether a model's mask lies in the wrong place, which explains what else it does not see."""
    return any(one.misplaced for one in record.told(Causality))
