"""Faults of training dynamics and numbers."""

from __future__ import annotations

from benchmarks.mutations.effects.dynamics import (
    gradient_fades,
    gradient_not_finite,
    initial_loss_high,
    no_progress,
    residual_missing,
    rows_stay_equal,
    scores_unscaled,
)
from benchmarks.mutations.effects.flow import not_finite
from benchmarks.mutations.operator import Operator, Rewrite

HEAD = {"HEAD": r"lm_head|head|output|fc|to_logits|unembedding"}
SAME = {"RES": r"residual|carry|attn_output"}
DEVIATION = {"D": r"0\.02|1e-2|self\.config\.initializer_range|std"}
NORMAL = ("nn.init.normal_", "torch.nn.init.normal_", "init.normal_")
BRANCH = {"MOD": r"mlp|ffwd|ffn|mix|moe"}
NOT_DRAWING = "generate|sample|[Rr]oute"

OPERATORS = (
    Operator(
        name="init-too-wide",
        family="dynamics",
        digits=(9,),
        says="weights start with a deviation of 1",
        effects=(initial_loss_high,),
        rewrites=(
            *(
                Rewrite(before=f"{f}(X, std=D)", after=f"{f}(X, std=1.0)", where=DEVIATION)
                for f in NORMAL
            ),
            *(
                Rewrite(
                    before=f"{f}(X, mean=M, std=D)",
                    after=f"{f}(X, mean=M, std=1.0)",
                    where=DEVIATION,
                )
                for f in NORMAL
            ),
            Rewrite(
                before="X.data.normal_(mean=0.0, std=D)", after="X.data.normal_(mean=0.0, std=1.0)"
            ),
            Rewrite(before="torch.randn(*A) * 0.02", after="torch.randn(*A)"),
        ),
    ),
    Operator(
        name="logits-scaled-up",
        family="dynamics",
        digits=(9,),
        says="logits are multiplied by 50",
        effects=(initial_loss_high,),
        rewrites=(
            Rewrite(before="self.HEAD(X)", after="(self.HEAD(X) * 50.0)", where=HEAD),
            Rewrite(before="rms_norm(X, S) @ Y", after="50.0 * rms_norm(X, S) @ Y"),
        ),
    ),
    Operator(
        name="init-all-zero",
        family="dynamics",
        digits=(9, 1),
        says="weights start at zero and stay there",
        effects=(no_progress,),
        rewrites=(
            *(
                Rewrite(before=f"{f}(X, **K)", after=f"{f.replace('normal_', 'zeros_')}(X)")
                for f in NORMAL
            ),
            Rewrite(before="X.data.normal_(**K)", after="X.data.zero_()"),
            Rewrite(before="nn.init.xavier_uniform_(X)", after="nn.init.zeros_(X)"),
        ),
    ),
    Operator(
        name="init-symmetric",
        family="dynamics",
        digits=(9,),
        says="all weights start with the same number, and units stay copies of each other",
        effects=(rows_stay_equal,),
        rewrites=(
            *(
                Rewrite(
                    before=f"{f}(X, **K)", after=f"{f.replace('normal_', 'constant_')}(X, 0.02)"
                )
                for f in NORMAL
            ),
            Rewrite(before="X.data.normal_(**K)", after="X.data.fill_(0.02)"),
            Rewrite(before="nn.init.xavier_uniform_(X)", after="nn.init.constant_(X, 0.05)"),
        ),
    ),
    Operator(
        name="residual-missing",
        family="dynamics",
        digits=(9,),
        says="a branch replaces the residual stream in place of being added",
        effects=(residual_missing,),
        rewrites=(
            Rewrite(before="X = X + Y", after="X = Y"),
            Rewrite(before="X = carry + X", after="X = carry"),
            Rewrite(before="X = residual + Y", after="X = Y"),
            Rewrite(before="X = Y + residual", after="X = Y"),
            Rewrite(before="X = self.NORM(X + Y)", after="X = self.NORM(Y)"),
            Rewrite(before="return X + self.alpha * Y", after="return self.alpha * Y"),
        ),
    ),
    Operator(
        name="sigmoid-on-stream",
        family="dynamics",
        digits=(9,),
        says="the residual stream goes through a sigmoid in each block",
        effects=(gradient_fades,),
        rewrites=(
            Rewrite(
                before="X = X + self.MOD(Y)",
                after="X = torch.sigmoid(X + self.MOD(Y))",
                where=BRANCH,
            ),
            Rewrite(before="X = RES + Y", after="X = torch.sigmoid(RES + Y)", where=SAME),
            Rewrite(before="X = carry + X", after="X = torch.sigmoid(carry + X)"),
            Rewrite(before="X = X + mix(Y)", after="X = torch.sigmoid(X + mix(Y))"),
            Rewrite(
                before="return X + self.alpha * Y", after="return torch.sigmoid(X + self.alpha * Y)"
            ),
        ),
    ),
    Operator(
        name="stream-scaled-up",
        family="dynamics",
        digits=(9,),
        says="the residual stream grows ten times in each block",
        effects=(gradient_fades, gradient_not_finite, not_finite),
        rewrites=(
            Rewrite(
                before="X = X + self.MOD(Y)",
                after="X = 10.0 * (X + self.MOD(Y))",
                where=BRANCH,
            ),
            Rewrite(before="X = RES + Y", after="X = 10.0 * (RES + Y)", where=SAME),
            Rewrite(before="X = carry + X", after="X = 10.0 * (carry + X)"),
            Rewrite(before="X = X + mix(Y)", after="X = 10.0 * (X + mix(Y))"),
            Rewrite(before="return X + self.alpha * Y", after="return 10.0 * (X + self.alpha * Y)"),
        ),
    ),
    Operator(
        name="scores-unscaled",
        family="dynamics",
        digits=(9,),
        says="attention scores are not divided by the root of the width",
        effects=(scores_unscaled,),
        rewrites=(
            Rewrite(before="X * (1.0 / math.sqrt(Y))", after="X"),
            Rewrite(before="X / math.sqrt(Y)", after="X"),
            Rewrite(before="X * Y ** -0.5", after="X"),
            Rewrite(before="X * self.scale", after="X"),
            Rewrite(before="self.scaling = X", after="self.scaling = 1.0"),
            Rewrite(
                before="F.scaled_dot_product_attention(*A, **K)",
                after="F.scaled_dot_product_attention(*A, **K, scale=1.0)",
            ),
        ),
    ),
    Operator(
        name="root-of-zero",
        family="dynamics",
        digits=(9,),
        says="the square root of exact zeros has an infinite gradient",
        effects=(gradient_not_finite,),
        rewrites=(
            Rewrite(
                before="F.softmax(X, dim=-1)",
                after="torch.sqrt(F.softmax(X, dim=-1) ** 2)",
                outside=NOT_DRAWING,
            ),
            Rewrite(before="X.softmax(-1)", after="torch.sqrt(X.softmax(-1) ** 2)"),
            Rewrite(before="self.softmax(X)", after="torch.sqrt(self.softmax(X) ** 2)"),
        ),
    ),
    Operator(
        name="log-of-zero",
        family="dynamics",
        digits=(9,),
        says="masked probabilities, exact zeros, go through a logarithm",
        effects=(gradient_not_finite, not_finite),
        rewrites=(
            Rewrite(
                before="F.softmax(X, dim=-1)",
                after="torch.exp(torch.log(F.softmax(X, dim=-1)))",
                outside=NOT_DRAWING,
            ),
            Rewrite(before="X.softmax(-1)", after="X.softmax(-1).log().exp()"),
            Rewrite(before="self.softmax(X)", after="self.softmax(X).log().exp()"),
        ),
    ),
)
