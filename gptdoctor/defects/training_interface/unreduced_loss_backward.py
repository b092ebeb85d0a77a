"""GD645: backward is called on a loss that was not reduced to one number."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.loss_calls import LossCall, loss_of
from gptdoctor.source.value_ways import shaped_from, ways_of

CODE = "GD645"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    function = visit.flow
    if not isinstance(node, ast.Call) or function is None or node.args or node.keywords:
        return
    if not isinstance(node.func, ast.Attribute):
        return
    ways = ways_of(node.func.value, function, shaped_from)
    made = [one.source for one in ways if one.binding is None]
    losses = [loss_of(one, function) if isinstance(one, ast.Call) else None for one in made]
    if losses and len(losses) == len(ways) and all(map(_is_unreduced, losses)):
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(node),
            symbol=visit.symbol,
            message=(
                f"`{ast.unparse(node.func.value)}` has a number for each target, for its "
                'reduction is "none": backward wants one number'
            ),
            extent=(node.lineno, node.end_lineno or node.lineno),
        )


def _is_unreduced(loss: LossCall | None) -> bool:
    reduction = None if loss is None else loss.setting("reduction")
    return isinstance(reduction, ast.Constant) and reduction.value == "none"


SICK = """\
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids):
        return self.lm_head(self.mix(self.wte(input_ids))[0])


def step(model, optimizer, ids):
    logits = model(ids[:, :-1])
    optimizer.zero_grad()
    loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    loss.backward()
    optimizer.step()
"""

DEFECT = Defect(
    code=CODE,
    name="unreduced-loss-backward",
    severity=Severity.MEDIUM,
    summary="Backward is called on a loss that has a number for each target.",
    explanation=(
        'A loss with reduction "none" keeps one number for each target, and backward is called '
        "on it as it is. Not meant: a loss that is summed, averaged or masked in between, or a "
        "backward that is given what each number counts."
    ),
    harm="torch raises an error at the first step, unless a batch has a single target.",
    confirmed_by=(
        "No probe runs a user's own loop. Run one step: grad can be implicitly created only for "
        "scalar outputs."
    ),
    sick=SICK,
    healed=SICK.replace("loss.backward()", "loss.mean().backward()"),
    suspects={calls("backward"): _suspect},
)
