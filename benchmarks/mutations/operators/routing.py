"""Faults of mixtures of experts."""

from __future__ import annotations

from benchmarks.mutations.effects.flow import batch_leak
from benchmarks.mutations.effects.gradients import no_gradient
from benchmarks.mutations.effects.routing import (
    expert_idle,
    expert_rows_lost,
    expert_rows_wasted,
)
from benchmarks.mutations.operator import Operator, Rewrite

ROUTER = "[Rr]oute"
WEIGHTS = r".*weights.*"
STACKED = "einsum('b t e d, b t e -> b t d', X, GATES)"
STACKED_ROUTER = "einsum('b t d, d e -> b t e', X, W)"

OPERATORS = (
    Operator(
        name="expert-overwrites",
        family="routing",
        digits=(2,),
        says="an expert's output overwrites what other experts gave the same token",
        effects=(expert_rows_lost,),
        rewrites=(
            Rewrite(before="X[IDX] += Y", after="X[IDX] = Y"),
            Rewrite(before="X.index_add_(0, IDX, Y)", after="X.index_copy_(0, IDX, Y)"),
        ),
    ),
    Operator(
        name="routing-weights-unused",
        family="routing",
        digits=(2,),
        says="experts are added without their routing weights",
        effects=(no_gradient,),
        rewrites=(
            Rewrite(before="W.unsqueeze(-1) * X", after="X", where={"W": WEIGHTS}),
            Rewrite(before="X * W", after="X", where={"W": WEIGHTS}, within="xpert|[Mm]oe|MoE"),
            Rewrite(before=STACKED, after=STACKED.replace("GATES", "(GATES > 0).float()")),
        ),
    ),
    Operator(
        name="router-detached",
        family="routing",
        digits=(2, 1),
        says="routing weights are detached: the router never learns from the task",
        effects=(no_gradient,),
        rewrites=(
            Rewrite(
                before="X = X / X.sum(*A, **K)",
                after="X = (X / X.sum(*A, **K)).detach()",
                within=ROUTER,
            ),
            Rewrite(
                before="F.softmax(X, dim=-1)",
                after="F.softmax((X).detach(), dim=-1)",
                within=ROUTER,
            ),
            Rewrite(
                before="F.softmax(X.float(), dim=-1)",
                after="F.softmax(X.float().detach(), dim=-1)",
                within=ROUTER,
            ),
        ),
    ),
    Operator(
        name="router-hard",
        family="routing",
        digits=(2, 1),
        says="the weights of the chosen experts are all one",
        effects=(no_gradient,),
        rewrites=(
            Rewrite(
                before="X = X / X.sum(*A, **K)",
                after="X = torch.ones_like(X)",
                within=ROUTER,
            ),
            Rewrite(before="F.softmax(top, dim=-1)", after="torch.ones_like(top)", within=ROUTER),
        ),
    ),
    Operator(
        name="experts-run-on-all",
        family="routing",
        digits=(2,),
        says="each expert runs on all tokens, and most of it is thrown away",
        effects=(expert_rows_wasted,),
        rewrites=(Rewrite(before="self.EXP[I](X[J])", after="self.EXP[I](X)[J]"),),
    ),
    Operator(
        name="always-first-expert",
        family="routing",
        digits=(2,),
        says="whatever expert was chosen, the first one answers",
        effects=(expert_idle,),
        rewrites=(
            Rewrite(before="self.experts[I]", after="self.experts[0]"),
            Rewrite(before="self.down_proj[I]", after="self.down_proj[0]"),
            Rewrite(before="X.scatter(-1, I, G)", after="X.scatter(-1, 0 * I, G)", within=ROUTER),
        ),
    ),
    Operator(
        name="expert-before",
        family="routing",
        digits=(2,),
        says="the index of the expert is one too low, and held at zero",
        effects=(expert_idle,),
        rewrites=(
            Rewrite(before="self.experts[I]", after="self.experts[max(I - 1, 0)]"),
            Rewrite(
                before="torch.zeros_like(X).scatter(-1, I, G)",
                after="torch.zeros_like(X).scatter(-1, (I - 1).clamp(min=0), G)",
            ),
        ),
    ),
    Operator(
        name="expert-skipped",
        family="routing",
        digits=(2,),
        says="the loop over experts leaves the first one out",
        effects=(expert_rows_lost,),
        rewrites=(Rewrite(before="range(len(self.experts))", after="range(1, len(self.experts))"),),
    ),
    Operator(
        name="router-softmax-over-tokens",
        family="routing",
        digits=(2, 8),
        says="the router's softmax runs over tokens instead of experts",
        effects=(batch_leak,),
        rewrites=(
            Rewrite(before="F.softmax(X, dim=-1)", after="F.softmax(X, dim=0)", within=ROUTER),
        ),
    ),
    Operator(
        name="router-centred-on-batch",
        family="routing",
        digits=(2, 8),
        says="the router subtracts the mean over the batch",
        effects=(batch_leak,),
        rewrites=(
            Rewrite(before="self.gate(X)", after="self.gate(X - X.mean(dim=0))", within=ROUTER),
            Rewrite(before=STACKED_ROUTER, after=STACKED_ROUTER.replace("X", "X - X.mean(dim=0)")),
            Rewrite(
                before="F.linear(X, self.weight)",
                after="F.linear(X - X.mean(dim=0), self.weight)",
                within=ROUTER,
            ),
        ),
    ),
    Operator(
        name="weights-normalised-over-tokens",
        family="routing",
        digits=(2, 8),
        says="routing weights are divided by their sum over all tokens",
        effects=(batch_leak,),
        rewrites=(
            Rewrite(before="X.sum(dim=-1, keepdim=True)", after="X.sum()", within=ROUTER),
            Rewrite(before="F.softmax(top, dim=-1)", after="F.softmax(top, dim=0)", within=ROUTER),
        ),
    ),
)
