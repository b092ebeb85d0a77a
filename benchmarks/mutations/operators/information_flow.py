"""Faults of masks, of attention and of positions: what a position may see, and where it is."""

from __future__ import annotations

from benchmarks.mutations.effects.flow import (
    batch_leak,
    context_blind,
    future_leak,
    not_finite,
    order_blind,
)
from benchmarks.mutations.operator import Operator, Rewrite

ELSEWHERE = "generate|sample|[Rr]oute"
SOFTMAXES = ("F.softmax(X, dim=-1)", "X.softmax(-1)")
ATTENTION = {"ATT": r"attn|sa|self_attn|attention|memory|multi_head_attn"}
POSITIONS = {"POS": r"(?s).*(pos|wpe|self\.pe).*"}


def _softmax_over(dim: int) -> tuple[Rewrite, ...]:
    return tuple(
        Rewrite(
            before=before,
            after=before.replace("-1", str(dim)),
            outside=ELSEWHERE,
        )
        for before in SOFTMAXES
    )


OPERATORS = (
    Operator(
        name="mask-dropped",
        family="information_flow",
        digits=(8,),
        says="attention runs without its causal mask",
        effects=(future_leak,),
        rewrites=(
            Rewrite(
                before="F.scaled_dot_product_attention(*A, is_causal=True)",
                after="F.scaled_dot_product_attention(*A)",
            ),
            Rewrite(before="X.masked_fill(C, V)", after="X", outside=ELSEWHERE),
            Rewrite(before="causal[None, None] & X", after="X"),
            Rewrite(before="X & nopeak_mask", after="X"),
            Rewrite(before="self.attn(*A, attn_mask=M, **K)", after="self.attn(*A, **K)"),
            Rewrite(before="X = create_causal_mask(*A, **K)", after="X = None"),
            Rewrite(
                before="F.scaled_dot_product_attention(*A, attn_mask=M)",
                after="F.scaled_dot_product_attention(*A)",
            ),
        ),
    ),
    Operator(
        name="mask-built-not-used",
        family="information_flow",
        digits=(8,),
        says="the statement that puts the mask onto the scores is gone",
        effects=(future_leak,),
        rewrites=(
            Rewrite(before="X = X.masked_fill(C, V)", after="", outside=ELSEWHERE),
            Rewrite(
                before="if mask is not None:\n    X = X.masked_fill(C, V)",
                after="",
                outside=ELSEWHERE,
            ),
            Rewrite(before="X = X + attention_bias", after=""),
        ),
    ),
    Operator(
        name="mask-one-too-many",
        family="information_flow",
        digits=(8,),
        says="each position sees the next one as well",
        effects=(future_leak,),
        rewrites=(
            Rewrite(before="torch.tril(X)", after="torch.tril(X, diagonal=1)"),
            Rewrite(before="X.tril()", after="X.tril(1)"),
            Rewrite(before="X.tril(diagonal=Y)", after="X.tril(diagonal=Y + 1)"),
            Rewrite(before="torch.triu(X, diagonal=1)", after="torch.triu(X, diagonal=2)"),
            Rewrite(before="X.triu(1)", after="X.triu(2)"),
            Rewrite(before="distance > 0", after="distance > 1"),
        ),
    ),
    Operator(
        name="mask-one-too-few",
        family="information_flow",
        digits=(8, 9),
        says="no position sees itself, and the first sees nothing",
        effects=(not_finite, future_leak),
        rewrites=(
            Rewrite(before="torch.tril(X)", after="torch.tril(X, diagonal=-1)"),
            Rewrite(before="X.tril()", after="X.tril(-1)"),
            Rewrite(before="X.tril(diagonal=Y)", after="X.tril(diagonal=Y - 1)"),
            Rewrite(before="torch.triu(X, diagonal=1)", after="torch.triu(X)"),
            Rewrite(before="X.triu(1)", after="X.triu()"),
            Rewrite(before="distance > 0", after="distance >= 0"),
        ),
    ),
    Operator(
        name="mask-inverted",
        family="information_flow",
        digits=(8, 9),
        says="what should be hidden is seen, and the rest is hidden",
        effects=(future_leak, not_finite),
        rewrites=(
            Rewrite(before="X.masked_fill(C == 0, V)", after="X.masked_fill(C != 0, V)"),
            Rewrite(before="X.masked_fill(~C, V)", after="X.masked_fill(C, V)"),
            Rewrite(before="X.masked_fill(mask, V)", after="X.masked_fill(~mask, V)"),
            Rewrite(before="torch.tril(X)", after="torch.triu(X)"),
            Rewrite(before="X.tril()", after="X.triu()"),
            Rewrite(before="torch.triu(X, diagonal=1)", after="torch.tril(X, diagonal=-1)"),
            Rewrite(before="distance > 0", after="distance < 0"),
        ),
    ),
    Operator(
        name="mask-after-softmax",
        family="information_flow",
        digits=(8,),
        says="the mask is applied after the softmax, whose sum has seen the future",
        effects=(future_leak,),
        rewrites=(
            Rewrite(
                before="X = X.masked_fill(C, V)\nY = F.softmax(X, dim=-1)",
                after="Y = F.softmax(X, dim=-1)\nY = Y.masked_fill(C, 0.0)",
            ),
        ),
    ),
    Operator(
        name="softmax-over-queries",
        family="information_flow",
        digits=(8,),
        says="attention is normalised over queries instead of keys",
        effects=(future_leak,),
        rewrites=_softmax_over(-2),
    ),
    Operator(
        name="softmax-over-batch",
        family="information_flow",
        digits=(8, 9),
        says="attention is normalised over the batch",
        effects=(batch_leak, not_finite),
        rewrites=_softmax_over(0),
    ),
    Operator(
        name="attention-unused",
        family="information_flow",
        digits=(8, 1),
        says="the output of attention is computed and not added",
        effects=(context_blind,),
        rewrites=(
            Rewrite(before="X = X + self.ATT(Y)", after="self.ATT(Y)", where=ATTENTION),
            Rewrite(before="X = X + attended", after="X = X + 0.0"),
            Rewrite(before="residual + self.dropout(attn_output)", after="residual"),
            Rewrite(before="X = attn_output + residual", after="X = residual"),
            Rewrite(before="X = residual + X", after="X = residual"),
            Rewrite(before="X = X + self.dropout(h)", after="X = self.dropout(X)"),
            Rewrite(before="X = X + attend(*A)", after="X = X + 0.0 * X"),
            Rewrite(before="X + self.alpha * self.attention(*A)", after="X + self.alpha * X"),
            Rewrite(before="X = carry + X", after="X = X + 0.0"),
        ),
    ),
    Operator(
        name="attention-sees-itself-only",
        family="information_flow",
        digits=(8, 1),
        says="each position attends to itself alone",
        effects=(context_blind,),
        rewrites=(
            Rewrite(before="torch.tril(torch.ones(A, B, **K))", after="torch.eye(A, **K)"),
            Rewrite(before="F.scaled_dot_product_attention(Q, K, V, **REST)", after="V"),
            Rewrite(before="X.tril(diagonal=Y)", after="X.tril(diagonal=Y).triu(diagonal=Y)"),
            Rewrite(before="distance > 0", after="distance != 0"),
            Rewrite(
                before="torch.triu(torch.ones(A, B, **K), diagonal=1)",
                after="~torch.eye(A, **K)",
            ),
            Rewrite(before="X.triu(1)", after="~torch.eye(T, dtype=torch.bool)"),
        ),
    ),
    Operator(
        name="positions-not-added",
        family="information_flow",
        digits=(8, 1),
        says="position embeddings are not added",
        effects=(order_blind,),
        rewrites=(
            Rewrite(before="X + POS", after="X", where=POSITIONS),
            Rewrite(before="A, B = apply_rotary(*R)", after=""),
            Rewrite(before="A, B = apply_rotary_pos_emb(*R)", after=""),
            Rewrite(before="bias = X * distance", after="bias = 0 * X * distance"),
        ),
    ),
    Operator(
        name="positions-all-zero",
        family="information_flow",
        digits=(8,),
        says="every token gets the first position",
        effects=(order_blind,),
        rewrites=(
            Rewrite(before="torch.arange(0, T, **K)", after="torch.arange(0, T, **K) * 0"),
            Rewrite(before="torch.arange(S, E, **K)", after="torch.arange(S, E, **K) * 0"),
            Rewrite(
                before="torch.arange(T, **K)", after="torch.arange(T, **K) * 0", within="forward"
            ),
            Rewrite(before="torch.arange(X).unsqueeze(1)", after="torch.zeros(X).unsqueeze(1)"),
            Rewrite(before="(X.cumsum(-1) - 1).clamp(min=0)", after="X.cumsum(-1) * 0"),
        ),
    ),
)
