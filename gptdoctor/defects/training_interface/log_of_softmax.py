"""GD644: a logarithm is taken of what softmax gave, in two steps where one is safe."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.draws import draw_at
from gptdoctor.source.flow_functions import Function, own_nodes, script_of
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.generating import switched_off
from gptdoctor.source.scores import scores_of
from gptdoctor.source.value_ways import is_lowest, operation

CODE = "GD644"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    function = visit.flow or script_of(visit.module)
    if not isinstance(node, ast.Call):
        return
    made = operation(node, function)
    if made is None or made[0] != "log":
        return
    scores = scores_of(made[1], function, visit.project)
    if scores is None or scores.kind != "softmax" or _only_draws(function):
        return
    if scores.averaged or _is_shut_out(node, function):
        return
    yield Suspicion(
        rule=CODE,
        location=visit.module.location(node),
        symbol=visit.symbol,
        message=(
            f"`{ast.unparse(node)}` is -inf where softmax has come to 0, and has no gradient "
            "there: log_softmax takes both in one step"
        ),
        extent=(node.lineno, node.end_lineno or node.lineno),
    )


def _is_shut_out(logarithms: ast.Call, function: Function) -> bool:
    """Whether -inf is written into the logarithms afterwards: they are drawn from, not learned."""
    names = function.bindings.names_given.get(logarithms, ())
    return any(
        one.role is Role.CHANGED and one.value is not None and is_lowest(one.value)
        for name in names
        for one in function.bindings.by_name[name]
    )


def _only_draws(function: Function) -> bool:
    """Whether nothing is learned from a function: it draws tokens, or has no gradients."""
    nodes = own_nodes(function.node)
    return switched_off(function) or any(draw_at(node, function) is not None for node in nodes)


SICK = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids):
        return self.lm_head(self.mix(self.wte(input_ids))[0])

    def loss(self, input_ids):
        probs = torch.softmax(self(input_ids[:, :-1]), dim=-1)
        chosen = torch.log(probs).gather(-1, input_ids[:, 1:, None])
        return -chosen.mean()
"""

DEFECT = Defect(
    code=CODE,
    name="log-of-softmax",
    severity=Severity.LOW,
    confidence=Confidence.MEDIUM,
    summary="A logarithm is taken of what softmax gave, in two steps where one is safe.",
    explanation=(
        "softmax comes to 0 for what is some hundred below the largest in float32, and some tens "
        "in half precision; the logarithm of that is -inf. log_softmax never gets there. The "
        "softmax may be a helper's or a model's in sight. Not meant: probabilities that are kept "
        "away from 0 first, logarithms of which some are set to -inf, and functions that draw "
        "tokens or record no gradients."
    ),
    harm="One very unlikely target makes the loss infinite, and all weights NaN after the step.",
    confirmed_by=(
        "The probes of non-finite values show it where the logits grow large enough; a tiny, "
        "untrained model's seldom do."
    ),
    sick=SICK,
    healed=SICK.replace("probs = torch.softmax", "logs = torch.log_softmax").replace(
        "torch.log(probs).gather", "logs.gather"
    ),
    suspects={calls("log"): _suspect},
)
