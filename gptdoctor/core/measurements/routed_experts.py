"""Whether tokens reach the experts that their router chose, and what the router learns of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gptdoctor.core.findings import Place, Value
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Tokens and experts: which were chosen for each other, and which have to do with each other.

    A pair is moved when the token's row of the output moves with that expert's weights alone.
    """

    chosen: int
    moved: int
    wrong: int  # moved and not chosen
    skipped: tuple[int, ...]  # experts with chosen tokens that move nothing, while others do
    dense: bool  # every expert moves every token
    mixed: bool  # what follows the experts mixes the tokens: `wrong` says nothing
    renamed: bool  # each expert has exactly the tokens that were chosen for another one


@dataclass(frozen=True, kw_only=True)
class LostRows:
    """Rows that experts computed for tokens they were chosen for, and that go nowhere."""

    place: Place | None  # the last operation on them
    operation: str  # a write whose numbers repeat, or that goes over others; "" else
    rows: int


@dataclass(frozen=True, kw_only=True)
class WrongAxis:
    """Where scores were normalised, or chosen, over something else than the experts."""

    place: Place | None
    operation: str  # "softmax", "div", "topk"
    over: str  # "the batch", "the positions", "all tokens"
    rows: int  # how many share one sum


@dataclass(frozen=True, kw_only=True)
class RoutedBlock:
    """One block with a router and its experts, called again with the inputs that it had."""

    name: str  # of the module in which both are, "" for the model itself
    experts_name: str
    place: Place | None  # where the experts are called, or their stacked weights are taken
    choice: Place | None
    operation: str  # that chooses: "topk", "argmax", "max", "multinomial"
    experts: int
    chosen: int  # experts for each token, or tokens for each expert
    over_tokens: bool  # each expert chooses its tokens
    tokens: int
    pairs: Pairs | None
    reason: str  # why pairs and effects were not measured; "" where they were
    rows_run: int | None  # that experts computed; None: not seen, with stacked weights
    rows_needed: int  # for the pairs that were chosen
    all_run_all: bool  # every expert was given every token
    lost: tuple[LostRows, ...]
    # How far the output moves with the router's weights while the choice stays, relative to its
    # largest number; None: not measured, or no weights of a router are known.
    weight_effect: float | None
    weights_kept: bool  # the line that chooses names the scores of what it chose
    # Largest gradients of a random sum of the logits, with moved weights; None: no router known.
    router_gradient: float | None
    expert_gradient: float | None
    # The router's largest gradient of all else that the model gives or keeps: its own loss, a
    # balance of the load; where the logits give it none.
    other_gradient: float | None
    cut: Place | None  # where the scores that reach the experts' results lost their gradient
    cut_by: str  # the operation there: "detach", "round"; "constant": they are all the same
    wrong_axis: WrongAxis | None
    router_parameters: tuple[str, ...] = ()  # by name, those that are trained
    stacks: tuple[str, ...] = ()  # parameters with the weights of all experts; none: modules
    layer: int | None = None  # of `stacks` [L, E, ...], which hold all layers'; None: they do not
    rows_mixed: bool = False  # an expert's result for one token hangs on others that it is given
    merged: Place | None = None  # where the results of experts are first added up
    loop: Place | None = None  # the `for` in which the experts are called
    # Where the numbers that were chosen became other ones, of experts that no loop calls.
    altered: Place | None = None
    # The write that went over the most rows of experts with stacked weights, unread; None: none.
    overwritten: LostRows | None = None

    @property
    def figures(self) -> dict[str, Value]:
        """What every rule about this block tells."""
        return {
            "experts_list": self.experts_name,
            "experts": self.experts,
            "chosen": self.chosen,
            "tokens": self.tokens,
        }

    @property
    def works_for_wrong_tokens(self) -> bool:
        """Whether an expert works for tokens that it was not chosen for, or never works."""
        pairs = self.pairs
        if pairs is None or pairs.dense or self.lost or (self.over_tokens and self.wrong_axis):
            return False
        if self.loses_what_is_overwritten:
            return False
        return bool(pairs.skipped) or (pairs.wrong > 0 and not pairs.mixed)

    @property
    def loses_what_is_overwritten(self) -> bool:
        """Whether a write went over results, and tokens do not move with experts they chose."""
        pairs = self.pairs
        if pairs is None or pairs.dense or pairs.mixed or self.overwritten is None:
            return False
        return pairs.moved - pairs.wrong < pairs.chosen

    @property
    def weights_ignored(self) -> bool:
        """Whether nothing but the choice reaches the output, though weights were taken.

        With one expert a token the scores of a hard choice are no weights.  1e-5: rounding of a
        straight-through estimator in fp32 leaves 1e-7, a weight that is halved more than 1e-3.
        """
        unused = self.weight_effect is not None and self.weight_effect < 1e-5
        several = self.chosen > 1 and not self.over_tokens
        # else they are applied
        forgotten = self.cut_by in ("", self.operation) or self.constant_instead
        return unused and several and forgotten and self.weights_kept and not self.router_learns

    @property
    def constant_instead(self) -> bool:
        """Whether a tensor of one number, in the form of the scores, goes on in their place."""
        return self.cut_by in ("ones_like", "full_like", "new_ones", "new_full")

    @property
    def gradients_are_numbers(self) -> bool:
        """Whether the gradients of router and experts were measured, and are finite."""
        router, expert = self.router_gradient, self.expert_gradient
        return router is not None and math.isfinite(router + (expert or 0.0))

    @property
    def router_learns(self) -> bool:
        """Whether the logits give the router a gradient beside that of the experts.

        In fp32 rounding leaves up to 1e-7 of the experts' where mathematics says 0; the least
        that a softmax lets through on tiny models is 1e-4.
        """
        if self.router_gradient is None or not self.expert_gradient:
            return True  # nothing can be said against it
        if not self.gradients_are_numbers:
            return True  # what is no number tells of what spoiled it, and not of the router
        return self.router_gradient >= 1e-6 * self.expert_gradient

    @property
    def only_balanced(self) -> bool:
        """Whether another loss of the model's trains the router, whose scores are no weights.

        Rounding of a gradient that is 0 leaves 1e-10 of the experts' there.
        """
        learns = (self.other_gradient or 0.0) > 1e-8 * (self.expert_gradient or 0.0)
        return learns and (self.weight_effect or 0.0) < 1e-5


@dataclass(frozen=True, kw_only=True)
class RoutedExperts(Measurement):
    """Probe routed-experts; no block at all means that no router was seen to choose."""

    blocks: tuple[RoutedBlock, ...]
