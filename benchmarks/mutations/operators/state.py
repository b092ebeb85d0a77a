"""Faults of state: what is kept between calls, and what is random in evaluation."""

from __future__ import annotations

from benchmarks.mutations.effects.flow import nondeterministic, state_kept
from benchmarks.mutations.operator import Operator, Rewrite

HEAD = {"HEAD": r"lm_head|head|output|fc|to_logits|unembedding", "Y": r"\w+"}

OPERATORS = (
    Operator(
        name="state-kept",
        family="information_flow",
        digits=(8,),
        says="a running mean of earlier calls is added before the head",
        effects=(state_kept,),
        rewrites=(
            Rewrite(
                before="X = self.HEAD(Y)",
                after="self.memory = 0.5 * getattr(self, 'memory', 0.0) + Y.detach().mean((0, 1))\n"
                "X = self.HEAD(Y + self.memory)",
                where=HEAD,
            ),
            Rewrite(
                before="return self.HEAD(Y)",
                after="self.memory = 0.5 * getattr(self, 'memory', 0.0) + Y.detach().mean((0, 1))\n"
                "return self.HEAD(Y + self.memory)",
                where=HEAD,
            ),
        ),
    ),
    Operator(
        name="recurrent-state-kept",
        family="information_flow",
        digits=(8,),
        says="the recurrent state of one call is the start of the next",
        effects=(state_kept,),
        rewrites=(
            Rewrite(
                before="y = torch.stack(outputs, dim=1).reshape(B, T, D)",
                after="y = torch.stack(outputs, dim=1).reshape(B, T, D)\n"
                "self.init_state = lambda batch, device: state.detach()",
            ),
        ),
    ),
    Operator(
        name="dropout-in-evaluation",
        family="information_flow",
        digits=(8,),
        says="dropout works in evaluation, too",
        effects=(nondeterministic,),
        rewrites=(
            Rewrite(
                before="F.dropout(X, p=P, training=T)", after="F.dropout(X, p=P, training=True)"
            ),
            Rewrite(
                before="self.DROP(X)",
                after="nn.functional.dropout(X, 0.1)",
                made_by={"DROP": "Dropout"},
            ),
        ),
    ),
    Operator(
        name="noise-in-evaluation",
        family="information_flow",
        digits=(8,),
        says="noise is added to what the head reads, in evaluation, too",
        effects=(nondeterministic,),
        rewrites=(
            Rewrite(
                before="self.HEAD(Y)",
                after="self.HEAD(Y + 0.05 * torch.randn_like(Y))",
                where=HEAD,
            ),
        ),
    ),
)
