"""Faults of the loss."""

from __future__ import annotations

from benchmarks.mutations.effects.training import (
    labels_unused,
    loss_without_gradient,
    loss_wrong,
    padding_counted,
)
from benchmarks.mutations.operator import Operator, Rewrite

LABELS = {"Y": "labels|tokens|targets"}
LOSS = "F.cross_entropy(X, Y, **K)"
TURNED = "F.cross_entropy(X.transpose(1, 2), Y, **K)"
OBJECT = "loss_fct(X, Y)"
HF = "self.loss_function(X, Y, *A, **K)"
SLICES = "A = X[..., :-1, :].contiguous()\nB = Y[..., 1:].contiguous()"

OPERATORS = (
    Operator(
        name="labels-ignored",
        family="training_interface",
        digits=(6,),
        says="the loss compares the logits with their own argmax",
        effects=(labels_unused, loss_wrong),
        rewrites=(
            Rewrite(
                before=TURNED,
                after="F.cross_entropy(X.transpose(1, 2), X.argmax(dim=-1), **K)",
            ),
            Rewrite(before=LOSS, after="F.cross_entropy(X, (X).argmax(dim=-1), **K)"),
            Rewrite(before=OBJECT, after="loss_fct(X, (X).argmax(dim=-1))"),
            Rewrite(
                before="self.loss_function(X, labels, *A, **K)",
                after="self.loss_function(X, (X).argmax(dim=-1), *A, **K)",
            ),
        ),
    ),
    Operator(
        name="shift-missing",
        family="training_interface",
        digits=(6,),
        says="each position is taught the token that it has read",
        effects=(loss_wrong,),
        rewrites=(
            Rewrite(before="Y[:, 1:]", after="Y[:, :-1]", where=LABELS),
            Rewrite(before="Y[..., 1:]", after="Y[..., :-1]", where=LABELS),
        ),
    ),
    Operator(
        name="shift-twice",
        family="training_interface",
        digits=(6,),
        says="each position is taught the token after the next",
        effects=(loss_wrong,),
        rewrites=(
            Rewrite(
                before=SLICES,
                after="A = X[..., :-2, :].contiguous()\nB = Y[..., 2:].contiguous()",
            ),
            Rewrite(
                before="F.cross_entropy(X[:, :-1].flatten(0, 1), Y[:, 1:].flatten(), **K)",
                after="F.cross_entropy(X[:, :-2].flatten(0, 1), Y[:, 2:].flatten(), **K)",
            ),
            Rewrite(
                before="F.cross_entropy(X[:, :-1].reshape(*A), Y[:, 1:].reshape(-1), **K)",
                after="F.cross_entropy(X[:, :-2].reshape(*A), Y[:, 2:].reshape(-1), **K)",
            ),
            Rewrite(
                before="F.cross_entropy(X.transpose(1, 2), Y[:, 1:])",
                after="F.cross_entropy(X[:, :-1].transpose(1, 2), Y[:, 2:])",
            ),
            Rewrite(
                before="self.loss_function(X, labels, *A, **K)",
                after="self.loss_function(X[:, :-1].contiguous(), labels[:, 1:], *A, **K)",
            ),
        ),
    ),
    Operator(
        name="shift-across-rows",
        family="training_interface",
        digits=(6,),
        says="labels are shifted after flattening: a row's end is taught the next row's start",
        effects=(loss_wrong,),
        rewrites=(
            Rewrite(
                before=SLICES,
                after="A = X.reshape(-1, X.size(-1))[:-1]\nB = Y.reshape(-1)[1:]",
            ),
            Rewrite(
                before="F.cross_entropy(X[:, :-1].flatten(0, 1), Y[:, 1:].flatten(), **K)",
                after="F.cross_entropy(X.flatten(0, 1)[:-1], Y.flatten()[1:], **K)",
            ),
            Rewrite(
                before="F.cross_entropy(X[:, :-1].reshape(*A), Y[:, 1:].reshape(-1), **K)",
                after="F.cross_entropy(X.reshape(*A)[:-1], Y.reshape(-1)[1:], **K)",
            ),
            Rewrite(
                before="F.cross_entropy(X.view(*A), Y.view(-1), **K)",
                after="F.cross_entropy(X.view(*A)[:-1], Y.view(-1)[1:], **K)",
            ),
            Rewrite(
                before="F.cross_entropy(X.reshape(*A), Y.reshape(-1), **K)",
                after="F.cross_entropy(X.reshape(*A)[:-1], Y.reshape(-1)[1:], **K)",
            ),
            Rewrite(
                before="F.cross_entropy(logits, targets)",
                after="F.cross_entropy(logits[:-1], targets[1:])",
            ),
        ),
    ),
    Operator(
        name="softmax-before-loss",
        family="training_interface",
        digits=(6,),
        says="probabilities are given to a loss that takes logits",
        effects=(loss_wrong,),
        rewrites=(
            Rewrite(
                before=TURNED,
                after="F.cross_entropy(X.softmax(dim=-1).transpose(1, 2), Y, **K)",
            ),
            Rewrite(before=LOSS, after="F.cross_entropy((X).softmax(dim=-1), Y, **K)"),
            Rewrite(before=OBJECT, after="loss_fct((X).softmax(dim=-1), Y)"),
            Rewrite(before=HF, after="self.loss_function((X).softmax(dim=-1), Y, *A, **K)"),
        ),
    ),
    Operator(
        name="padding-counted",
        family="training_interface",
        digits=(6,),
        says="labels that mark padding are counted as token 0",
        effects=(padding_counted,),
        rewrites=(
            Rewrite(before=LOSS, after="F.cross_entropy(X, (Y).clamp(min=0), **K)"),
            Rewrite(before=OBJECT, after="loss_fct(X, (Y).clamp(min=0))"),
            Rewrite(before=HF, after="self.loss_function(X, (Y).clamp(min=0), *A, **K)"),
        ),
    ),
    Operator(
        name="padding-in-the-mean",
        family="training_interface",
        digits=(6,),
        says="the loss is divided by all labels, the padding among them",
        effects=(padding_counted,),
        rewrites=(
            Rewrite(before="X / Y.sum().clamp(min=1)", after="X / Y.numel()"),
            Rewrite(
                before="F.cross_entropy(X, Y, ignore_index=Z)",
                after="F.cross_entropy(X, Y, ignore_index=Z, reduction='none').mean()",
            ),
        ),
    ),
    Operator(
        name="loss-detached",
        family="training_interface",
        digits=(6, 1),
        says="the loss is returned without its graph",
        effects=(loss_without_gradient,),
        rewrites=(
            Rewrite(before="F.cross_entropy(*A, **K)", after="F.cross_entropy(*A, **K).detach()"),
            Rewrite(before="loss_fct(*A)", after="loss_fct(*A).detach()"),
            Rewrite(
                before="self.loss_function(*A, **K)",
                after="self.loss_function(*A, **K).detach()",
            ),
        ),
    ),
    Operator(
        name="loss-as-number",
        family="training_interface",
        digits=(6, 1),
        says="the loss is returned as a Python number",
        effects=(loss_without_gradient,),
        rewrites=(
            Rewrite(before="return F.cross_entropy(*A)", after="return F.cross_entropy(*A).item()"),
            Rewrite(
                before="X = F.cross_entropy(*A, **K)", after="X = F.cross_entropy(*A, **K).item()"
            ),
            Rewrite(before="X = loss_fct(*A)", after="X = loss_fct(*A).item()"),
        ),
    ),
    Operator(
        name="loss-never-made",
        family="training_interface",
        digits=(6,),
        says="labels are taken and no loss is made of them",
        effects=(loss_without_gradient,),
        rewrites=(
            Rewrite(before="loss = F.cross_entropy(*A, **K)", after="loss = None"),
            Rewrite(before="loss = loss_fct(*A)", after="loss = None"),
            Rewrite(before="loss = self.loss_function(*A, **K)", after="loss = None"),
        ),
    ),
)
