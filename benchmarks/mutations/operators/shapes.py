"""Faults of shapes: crashes at other sizes, mixed dimensions, silent broadcasts."""

from __future__ import annotations

from benchmarks.mutations.effects.flow import batch_leak, future_leak
from benchmarks.mutations.effects.gradients import backward_fails
from benchmarks.mutations.effects.shapes import fails, wrong_shape
from benchmarks.mutations.effects.training import loss_wrong
from benchmarks.mutations.operator import Operator, Rewrite

HEAD = {"HEAD": r"lm_head|head|output|fc|to_logits|unembedding"}
CROSSED = (future_leak, batch_leak, fails)

OPERATORS = (
    Operator(
        name="gate-transposed",
        family="shapes",
        digits=(3,),
        says="a gate is transposed: batch and time are exchanged",
        effects=(fails, batch_leak),
        rewrites=(
            Rewrite(
                before="torch.sigmoid(self.GATE(X))",
                after="torch.sigmoid(self.GATE(X)).transpose(0, 1)",
            ),
            Rewrite(before="F.silu(self.GATE(X))", after="F.silu(self.GATE(X)).transpose(0, 1)"),
            Rewrite(
                before="einsum('b t e d, b t e -> b t d', X, Y)",
                after="einsum('b t e d, b t e -> b t d', X, Y.transpose(0, 1))",
            ),
        ),
    ),
    Operator(
        name="heads-merged-unturned",
        family="shapes",
        digits=(3, 8),
        says="heads are merged by a reshape without turning heads and time back",
        effects=CROSSED,
        rewrites=(
            Rewrite(
                before="X.transpose(1, 2).contiguous().view(*A)",
                after="X.contiguous().view(*A)",
            ),
            Rewrite(before="X.transpose(1, 2).reshape(*A)", after="X.reshape(*A)"),
            Rewrite(before="X = X.transpose(1, 2)", after=""),
        ),
    ),
    Operator(
        name="heads-split-unturned",
        family="shapes",
        digits=(3, 8),
        says="heads are split by a view in the wrong order, in place of a transpose",
        effects=CROSSED,
        rewrites=(
            Rewrite(
                before="X.view(B, T, H, D).transpose(1, 2)",
                after="X.reshape(B, H, T, D)",
            ),
        ),
    ),
    Operator(
        name="head-width-hard-coded",
        family="shapes",
        digits=(3,),
        says="the width of a head is the number 64",
        effects=(fails,),
        rewrites=(
            Rewrite(before="X.view(A, B, C, D)", after="X.view(A, B, C, 64)"),
            Rewrite(before="X.reshape(A, B, C, D, E)", after="X.reshape(A, B, C, D, 64)"),
            Rewrite(before="(*X, -1, self.head_dim)", after="(*X, -1, 64)"),
            Rewrite(before="X + (self.num_heads, self.head_dim)", after="X + (self.num_heads, 64)"),
        ),
    ),
    Operator(
        name="batch-hard-coded",
        family="shapes",
        digits=(3,),
        says="the number of rows is the number 8",
        effects=(fails,),
        rewrites=(
            Rewrite(before="X.view(A, B, C)", after="X.view(8, B, C)"),
            Rewrite(before="X.reshape(A, B, C)", after="X.reshape(8, B, C)"),
            Rewrite(before="torch.zeros(A, *REST)", after="torch.zeros(8, *REST)", within="state"),
        ),
    ),
    Operator(
        name="length-hard-coded",
        family="shapes",
        digits=(3,),
        says="positions are made for 16 tokens, whatever was given",
        effects=(fails,),
        rewrites=(
            Rewrite(before="torch.arange(0, T, **K)", after="torch.arange(0, 16, **K)"),
            Rewrite(
                before="torch.arange(T, **K)",
                after="torch.arange(16, **K)",
                within="forward|bias",
            ),
            Rewrite(before="X[:, :Y.size(1)]", after="X[:, :16]"),
        ),
    ),
    Operator(
        name="logits-of-last-only",
        family="shapes",
        digits=(3,),
        says="only the last position gets logits, also in training",
        effects=(wrong_shape, fails),
        rewrites=(
            Rewrite(before="self.HEAD(X)", after="self.HEAD((X)[:, -1])", where=HEAD),
            Rewrite(before="rms_norm(X, self.OUT) @ Y", after="rms_norm(X, self.OUT)[:, -1] @ Y"),
        ),
    ),
    Operator(
        name="logits-time-first",
        family="shapes",
        digits=(3,),
        says="logits come out as [T, B, V]",
        effects=(wrong_shape, fails),
        rewrites=(
            Rewrite(before="self.HEAD(X)", after="self.HEAD(X).transpose(0, 1)", where=HEAD),
            Rewrite(
                before="rms_norm(X, self.OUT) @ Y",
                after="(rms_norm(X, self.OUT) @ Y).transpose(0, 1)",
            ),
        ),
    ),
    Operator(
        name="keys-not-repeated",
        family="shapes",
        digits=(3,),
        says="keys are not repeated for the query heads that share them",
        effects=(fails,),
        lines="function",
        rewrites=(
            Rewrite(before="X = X.repeat_interleave(N, dim=1)", after=""),
            Rewrite(before="X = repeat_kv(Y, N)", after="X = Y"),
        ),
    ),
    Operator(
        name="norm-loses-dimension",
        family="shapes",
        digits=(3,),
        says="a mean loses its dimension (no keepdim)",
        effects=(fails, batch_leak),
        rewrites=(
            Rewrite(before="X.mean(-1, keepdim=True)", after="X.mean(-1)"),
            Rewrite(before="X.sum(-1, keepdim=True)", after="X.sum(-1)"),
            Rewrite(before="X.sum(dim=-1, keepdim=True)", after="X.sum(dim=-1)", outside="sample"),
        ),
    ),
    Operator(
        name="sizes-exchanged",
        family="shapes",
        digits=(3,),
        says="the sizes of a linear layer are exchanged",
        effects=(fails,),
        rewrites=(
            Rewrite(before="nn.Linear(A, B)", after="nn.Linear(B, A)"),
            Rewrite(before="nn.Linear(A, B, bias=C)", after="nn.Linear(B, A, bias=C)"),
            Rewrite(before="Conv1D(A, B)", after="Conv1D(B, A)"),
        ),
    ),
    Operator(
        name="loss-broadcast",
        family="shapes",
        digits=(3, 6),
        says="losses [N] times counts [N, 1] makes [N, N]",
        effects=(loss_wrong,),
        rewrites=(
            Rewrite(before="X.flatten() * Y.flatten()", after="X.flatten() * Y.flatten()[:, None]"),
        ),
    ),
    Operator(
        name="weights-broadcast",
        family="shapes",
        digits=(3, 2),
        says="routing weights [N] meet expert outputs [N, D] without a new dimension",
        effects=(fails, backward_fails),
        rewrites=(
            Rewrite(before="W.unsqueeze(-1) * X", after="W * X", within="MoE|xpert"),
            Rewrite(before="W[I, J, None]", after="W[I, J]"),
        ),
    ),
)
