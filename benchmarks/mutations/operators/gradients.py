"""Faults that keep parameters from learning, or from being parameters."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.mutations.edit import Edit, Tree, decorated_forwards
from benchmarks.mutations.effects.flow import nondeterministic
from benchmarks.mutations.effects.gradients import (
    backward_fails,
    fewer_trainable,
    gradient_changed,
    no_gradient,
    slice_without_gradient,
    state_lost,
    twice_the_storage,
)
from benchmarks.mutations.operator import Operator, Rewrite

HEAD = r"lm_head|head|output|fc|to_logits|unembedding"
SAME = r"residual|carry|attn_output"
EMBEDDING = {"EMB": "Embedding"}
NOT_GENERATE = r"generate|sample"


def _no_grad_forward(tree: Tree) -> Iterator[Edit]:
    return decorated_forwards(tree, r"MLP|Feed|Norm|Expert|Mix", "@torch.no_grad()")


OPERATORS = (
    Operator(
        name="branch-detached",
        family="gradients",
        digits=(1,),
        says="a branch is added to the residual stream without its graph",
        effects=(no_gradient, gradient_changed),
        rewrites=(
            Rewrite(before="X = X + Y", after="X = X + (Y).detach()"),
            Rewrite(before="X = CARRY + X", after="X = CARRY.detach() + X"),
            Rewrite(before="self.NORM(X + Y)", after="self.NORM(X + (Y).detach())"),
            Rewrite(before="X = RES + Y", after="X = RES + (Y).detach()", where={"RES": SAME}),
            Rewrite(before="X = Y + RES", after="X = (Y).detach() + RES", where={"RES": SAME}),
        ),
    ),
    Operator(
        name="head-reads-data",
        family="gradients",
        digits=(1,),
        says="the head reads .data, so nothing below it learns",
        effects=(no_gradient,),
        rewrites=(
            Rewrite(before="self.HEAD(X)", after="self.HEAD((X).data)", where={"HEAD": HEAD}),
            Rewrite(
                before="rms_norm(X, self.OUT) @ Y",
                after="rms_norm(X, self.OUT).data @ Y",
            ),
        ),
    ),
    Operator(
        name="scale-as-number",
        family="gradients",
        digits=(1,),
        says="a learned factor is turned into a Python number",
        effects=(no_gradient, gradient_changed),
        rewrites=(
            Rewrite(before="self.alpha * Y", after="self.alpha.item() * Y"),
            Rewrite(before="self.weight * Y", after="self.weight.mean().item() * Y"),
            Rewrite(before="X * self.mix", after="X * self.mix.mean().item()"),
        ),
    ),
    Operator(
        name="parameter-copied",
        family="gradients",
        digits=(1,),
        says="a parameter is copied by torch.tensor where it is used",
        effects=(no_gradient, gradient_changed),
        rewrites=(
            Rewrite(before="self.weight * Y", after="torch.tensor(self.weight.tolist()) * Y"),
            Rewrite(
                before="torch.sigmoid(self.decay)",
                after="torch.sigmoid(torch.tensor(self.decay.tolist()))",
            ),
            Rewrite(before="X + self.pos", after="X + torch.tensor(self.pos.tolist())"),
            Rewrite(
                before="self.EMB(X)", after="torch.tensor(self.EMB(X).tolist())", made_by=EMBEDDING
            ),
        ),
    ),
    Operator(
        name="no-grad-around-branch",
        family="gradients",
        digits=(1,),
        says="a layer is called under torch.no_grad",
        effects=(no_gradient,),
        rewrites=(
            Rewrite(
                before="X = X + self.MOD(Y)",
                after="with torch.no_grad():\n    X = X + self.MOD(Y)",
            ),
            Rewrite(
                before="X = self.MOD(Y)",
                after="with torch.no_grad():\n    X = self.MOD(Y)",
                where={"MOD": "mlp|ffn|moe|feed_forward|fc1|dense_h_to_4h"},
            ),
        ),
    ),
    Operator(
        name="no-grad-forward",
        family="gradients",
        digits=(1,),
        says="the forward of a part is decorated with torch.no_grad",
        effects=(no_gradient,),
        custom=_no_grad_forward,
    ),
    Operator(
        name="through-numpy",
        family="gradients",
        digits=(1,),
        says="embeddings take a way through numpy",
        effects=(no_gradient, gradient_changed),
        rewrites=(
            Rewrite(
                before="self.EMB(X)",
                after="torch.from_numpy(self.EMB(X).detach().numpy())",
                made_by=EMBEDDING,
            ),
            Rewrite(
                before="F.embedding(X, Y)",
                after="torch.from_numpy(F.embedding(X, Y).detach().numpy())",
            ),
        ),
    ),
    Operator(
        name="hard-attention",
        family="gradients",
        digits=(1,),
        says="attention takes the argmax, so queries and keys never learn",
        effects=(no_gradient, slice_without_gradient),
        rewrites=tuple(
            Rewrite(
                before=before,
                after="torch.nn.functional.one_hot((X).argmax(dim=-1), X.size(-1)).float()",
                outside=NOT_GENERATE + "|[Rr]oute|Vocab",
            )
            for before in ("F.softmax(X, dim=-1)", "X.softmax(-1)", "self.softmax(X)")
        ),
    ),
    Operator(
        name="gate-compared",
        family="gradients",
        digits=(1,),
        says="an activation is a comparison, which has no gradient",
        effects=(no_gradient,),
        rewrites=(
            Rewrite(before="torch.sigmoid(self.LIN(X))", after="(self.LIN(X) > 0).float()"),
            Rewrite(before="F.silu(self.LIN(X))", after="(self.LIN(X) > 0).float()"),
            Rewrite(before="F.gelu(self.LIN(X))", after="(self.LIN(X) > 0).float()"),
            Rewrite(before="F.relu(self.LIN(X))", after="(self.LIN(X) > 0).float()"),
            Rewrite(
                before="self.ACT(X)",
                after="self.ACT(((X) > 0).float())",
                where={"ACT": "gelu|relu|act"},
            ),
        ),
    ),
    Operator(
        name="cast-to-int",
        family="gradients",
        digits=(1,),
        says="an activation passes through integers",
        effects=(no_gradient,),
        rewrites=(
            *(
                Rewrite(before=f"F.{name}(X)", after=f"((16 * F.{name}(X)).int().float() / 16)")
                for name in ("gelu", "silu", "relu")
            ),
            Rewrite(
                before="self.ACT(X)",
                after="((16 * self.ACT(X)).int().float() / 16)",
                where={"ACT": "gelu|relu|act"},
            ),
        ),
    ),
    Operator(
        name="layers-in-list",
        family="gradients",
        digits=(1,),
        says="layers are kept in a plain list and are never registered",
        effects=(state_lost,),
        rewrites=(
            Rewrite(before="nn.ModuleList()", after="[]"),
            Rewrite(before="nn.ModuleList(X)", after="list(X)"),
        ),
    ),
    Operator(
        name="layers-in-dict",
        family="gradients",
        digits=(1,),
        says="layers are kept in a plain dict and are never registered",
        effects=(state_lost,),
        rewrites=(Rewrite(before="nn.ModuleList(X)", after="dict(enumerate(X))"),),
    ),
    Operator(
        name="parameter-plain-tensor",
        family="gradients",
        digits=(1,),
        says="a weight is a plain tensor and never learns",
        effects=(state_lost, fewer_trainable),
        rewrites=(Rewrite(before="nn.Parameter(X)", after="X"),),
    ),
    Operator(
        name="parameter-scaled-after",
        family="gradients",
        digits=(1,),
        says="a parameter is scaled after it was made: the attribute is a tensor of its graph",
        effects=(state_lost, fewer_trainable),
        rewrites=(
            Rewrite(before="nn.Parameter(X * Y)", after="nn.Parameter(X) * Y"),
            Rewrite(before="nn.Parameter(X / Y)", after="nn.Parameter(X) / Y"),
            Rewrite(before="nn.Parameter(X)", after="nn.Parameter(X) * 1.0"),
        ),
    ),
    Operator(
        name="layer-built-in-forward",
        family="gradients",
        digits=(1, 8),
        says="a layer is made anew in each call, and the registered one is never used",
        effects=(nondeterministic,),
        rewrites=(
            Rewrite(
                before="self.LIN(X)",
                after="nn.Linear(self.LIN.in_features, self.LIN.out_features)(X)",
                made_by={"LIN": "Linear"},
            ),
        ),
    ),
    Operator(
        name="softmax-changed-in-place",
        family="gradients",
        digits=(1,),
        says="the result of a softmax is changed in place, which breaks its backward pass",
        effects=(backward_fails,),
        rewrites=tuple(
            Rewrite(before=f"{call}", after=f"{call}.clamp_(min=1e-9)", outside=NOT_GENERATE)
            for call in ("F.softmax(X, dim=-1)", "X.softmax(-1)", "self.softmax(X)")
        ),
    ),
    Operator(
        name="residual-in-place",
        family="gradients",
        digits=(1,),
        says="a branch is added in place to what a norm has saved for its backward pass",
        effects=(backward_fails,),
        rewrites=(
            Rewrite(before="X = X + Y", after="X += Y"),
            Rewrite(before="X = RES + Y", after="X = RES.add_(Y)", where={"RES": SAME}),
            Rewrite(before="X = CARRY + X", after="X = X.add_(CARRY)"),
        ),
    ),
    Operator(
        name="head-frozen",
        family="gradients",
        digits=(1,),
        says="the output layer is frozen where it is made",
        effects=(fewer_trainable,),
        rewrites=(
            Rewrite(
                before="self.HEAD = nn.Linear(*ARGS, **KW)",
                after="self.HEAD = nn.Linear(*ARGS, **KW).requires_grad_(False)",
                where={"HEAD": HEAD},
            ),
        ),
    ),
    Operator(
        name="tie-by-data",
        family="gradients",
        digits=(1,),
        says="head and embedding are tied by .data: two parameters, one storage, two steps",
        effects=(twice_the_storage,),
        rewrites=(Rewrite(before="X.weight = Y.weight", after="X.weight.data = Y.weight.data"),),
    ),
)
