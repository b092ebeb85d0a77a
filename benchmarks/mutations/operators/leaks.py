"""Faults that let a row or a position see what is not its own, beside the causal mask."""

from __future__ import annotations

from benchmarks.mutations.effects.flow import batch_leak, future_leak, padding_leak
from benchmarks.mutations.effects.shapes import fails
from benchmarks.mutations.operator import Operator, Rewrite

FINAL_NORM = {"NORM": "ln_f|norm|final_norm|ln|norm_f|final_layer_norm"}

OPERATORS = (
    Operator(
        name="centred-on-batch",
        family="information_flow",
        digits=(8,),
        says="the mean over the batch is subtracted before the last norm",
        effects=(batch_leak,),
        rewrites=(
            Rewrite(
                before="self.NORM(X)",
                after="self.NORM(X - X.mean(dim=0, keepdim=True))",
                where={**FINAL_NORM, "X": r"\w+"},
                outside="Block|Layer",
            ),
            Rewrite(
                before="rms_norm(x, self.norm_out)", after="rms_norm(x - x.mean(0), self.norm_out)"
            ),
            Rewrite(
                before="self.transformer.ln_f(x)",
                after="self.transformer.ln_f(x - x.mean(dim=0, keepdim=True))",
            ),
        ),
    ),
    Operator(
        name="centred-over-time",
        family="information_flow",
        digits=(8,),
        says="the mean over time is subtracted before the last norm",
        effects=(future_leak,),
        rewrites=(
            Rewrite(
                before="self.NORM(X)",
                after="self.NORM(X - X.mean(dim=1, keepdim=True))",
                where={**FINAL_NORM, "X": r"\w+"},
                outside="Block|Layer",
            ),
            Rewrite(
                before="rms_norm(x, self.norm_out)",
                after="rms_norm(x - x.mean(1, keepdim=True), self.norm_out)",
            ),
            Rewrite(
                before="self.transformer.ln_f(x)",
                after="self.transformer.ln_f(x - x.mean(dim=1, keepdim=True))",
            ),
        ),
    ),
    Operator(
        name="norm-over-batch",
        family="information_flow",
        digits=(8,),
        says="a norm takes its mean over the batch instead of the width",
        effects=(batch_leak,),
        rewrites=(Rewrite(before="X.mean(-1, keepdim=True)", after="X.mean(0, keepdim=True)"),),
    ),
    Operator(
        name="norm-over-time",
        family="information_flow",
        digits=(8,),
        says="a norm takes its mean over time instead of the width",
        effects=(future_leak,),
        rewrites=(Rewrite(before="X.mean(-1, keepdim=True)", after="X.mean(1, keepdim=True)"),),
    ),
    Operator(
        name="batch-not-first",
        family="information_flow",
        digits=(8, 3),
        says="attention takes the batch for time (batch_first is missing)",
        effects=(batch_leak, fails),
        rewrites=(
            Rewrite(
                before="nn.MultiheadAttention(*A, batch_first=True, **K)",
                after="nn.MultiheadAttention(*A, **K)",
            ),
        ),
    ),
    Operator(
        name="token-after-mixed-in",
        family="information_flow",
        digits=(8,),
        says="the token after, not the one before, is mixed in",
        effects=(future_leak,),
        rewrites=(Rewrite(before="F.pad(X, (0, 0, 1, -1))", after="F.pad(X, (0, 0, -1, 1))"),),
    ),
    Operator(
        name="padding-unmasked",
        family="information_flow",
        digits=(8,),
        says="the padding mask is not used",
        effects=(padding_leak,),
        rewrites=(
            Rewrite(
                before="causal[None, None] & X",
                after="causal[None, None] | (causal[None, None] & X)",
            ),
            Rewrite(before="enc_layer(enc_output, src_mask)", after="enc_layer(enc_output, None)"),
            Rewrite(
                before="create_causal_mask(*A, attention_mask=attention_mask, **K)",
                after="create_causal_mask(*A, attention_mask=None, **K)",
            ),
            Rewrite(
                before="mask_function(*A, attention_mask=attention_mask, **K)",
                after="mask_function(*A, attention_mask=None, **K)",
            ),
            Rewrite(
                before="causal_mask | pad_mask if pad_mask is not None else causal_mask",
                after="causal_mask",
            ),
        ),
    ),
    Operator(
        name="padding-mask-inverted",
        family="information_flow",
        digits=(8,),
        says="the padding is seen, and what is real is hidden",
        effects=(padding_leak,),
        rewrites=(
            Rewrite(before="attention_mask[I].bool()", after="attention_mask[I].logical_not()"),
            Rewrite(before="src != self.pad_id", after="src == self.pad_id"),
            Rewrite(
                before="causal_mask | pad_mask if pad_mask is not None else causal_mask",
                after="causal_mask | ~pad_mask if pad_mask is not None else causal_mask",
            ),
        ),
    ),
)
