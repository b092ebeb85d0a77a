"""GD643: a kl_div is divided by the size of the vocabulary."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.all_call_sites import sites_of
from gptdoctor.source.flow_functions import Function, own_nodes, script_of
from gptdoctor.source.loss_calls import LossCall, losses_at, names_of
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import bound_to

CODE = "GD643"
_SIZES = re.compile(r"size\((-1|1|dim)|shape\[(-1|1)|class|vocab", re.IGNORECASE)
_TENSORS = 2  # scores and targets; what follows says how they are reduced


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    function = visit.flow or script_of(visit.module)
    if not isinstance(node, ast.Call):
        return
    for loss in losses_at(node, visit.project, function, visit.parents):
        reduction = loss.setting("reduction")
        mean = isinstance(reduction, ast.Constant) and reduction.value == "mean"
        # Older torch was told by size_average and reduce, in whatever place.
        plain = reduction is None and len(loss.settings.args) <= _TENSORS
        starred = any(one.arg in (None, "size_average", "reduce") for one in loss.settings.keywords)
        none = isinstance(reduction, ast.Constant) and reduction.value == "none"
        if loss.kind != "kl_div" or starred or _multiplied(loss):
            continue
        late = _averaged_later(loss, visit.project) if none else None
        if late is not None:
            yield _averaged(late[0], late[1])
        elif mean or plain:
            yield Suspicion(
                rule=CODE,
                location=visit.module.location(loss.settings),
                symbol=visit.symbol,
                message=(
                    f"`{ast.unparse(loss.settings.func)}` takes the mean over classes too: the "
                    'divergence is reduction="batchmean"'
                ),
                extent=(node.lineno, node.end_lineno or node.lineno),
            )
            return  # all calls of a module are wrong by its one setting


def _averaged(call: ast.Call, function: Function) -> Suspicion:
    """The suspicion where a divergence of each class is averaged over all of them."""
    return Suspicion(
        rule=CODE,
        location=function.module.location(call),
        symbol=function.symbol,
        message=(
            f"`{ast.unparse(call)}` is the mean over classes too: a divergence is their sum, "
            "`.sum(-1).mean()`"
        ),
        extent=(call.lineno, call.end_lineno or call.lineno),
    )


def _averaged_later(loss: LossCall, project: Project) -> tuple[ast.Call, Function] | None:
    """Where all numbers of a loss are averaged at once, here or by who calls its function."""
    function = loss.function
    found = _mean_of(loss.call, function)
    if found is not None or loss.call not in function.returned:
        return None if found is None else (found, function)
    for site in sites_of(project, function):
        found = _mean_of(site.node, site.function)
        if found is not None:
            return found, site.function
    return None


def _mean_of(value: ast.Call, function: Function) -> ast.Call | None:
    """`value.mean()`, of the value itself or of the name that alone it is given."""
    names = function.bindings.names_given.get(value, [])
    for node in own_nodes(function.node):
        if not isinstance(node, ast.Call) or node.args or node.keywords:
            continue
        if called_name(node) != "mean" or not isinstance(node.func, ast.Attribute):
            continue
        of = node.func.value
        named = isinstance(of, ast.Name) and of.id in names and bound_to(of, function) is value
        if of is value or named:
            return node
    return None


def _multiplied(loss: LossCall) -> bool:
    """Whether the loss is multiplied by a number of classes, which makes the sum of its mean."""
    return any(
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Mult)
        and any(side is loss.call for side in (node.left, node.right))
        and any(_SIZES.search(ast.unparse(side)) for side in (node.left, node.right))
        for node in own_nodes(loss.function.node)
    )


SICK = """\
import torch.nn.functional as F
from torch import nn


class Student(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids):
        return self.lm_head(self.mix(self.wte(input_ids))[0])

    def distill(self, input_ids, teacher_logits):
        mine = F.log_softmax(self(input_ids), dim=-1)
        return F.kl_div(mine, teacher_logits.softmax(dim=-1))
"""

DEFECT = Defect(
    code=CODE,
    name="kl-div-averaged",
    severity=Severity.LOW,
    confidence=Confidence.MEDIUM,
    summary="A kl_div takes the mean over classes too, not the sum that a divergence is.",
    explanation=(
        'kl_div divides by the number of all elements where its reduction is "mean", which is '
        "its default: by the size of the vocabulary as well. torch's documentation says so and "
        'names "batchmean". The same mean of all numbers may be taken of a loss with reduction '
        '"none". Not meant: losses that are summed, or weighted by hand.'
    ),
    harm=(
        "The loss is smaller by the size of the vocabulary, tens of thousands of times: beside "
        "another loss it counts for nothing."
    ),
    confirmed_by=(
        "No probe measures it: compare the loss with (p * (log p - log q)).sum(-1).mean()."
    ),
    sick=SICK,
    healed=SICK.replace("softmax(dim=-1))", 'softmax(dim=-1), reduction="batchmean")'),
    suspects={calls(*names_of("kl_div")): _suspect},
)
