"""GD645: backward is called on a loss that was not reduced to one number."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_functions import script_of
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import called_name
from gptdoctor.source.unreduced_losses import is_unreduced

CODE = "GD645"
# What backward may be told beside what it begins with.
_MANNERS = frozenset({"retain_graph", "create_graph"})
# Objects whose backward is given the loss.
_TAKES_LOSS = re.compile(r"accelerat|fabric|autograd", re.IGNORECASE)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    loss = _loss(node)
    if loss is None or not _may_say_none(visit.module):
        return
    function = visit.flow or script_of(visit.module)
    if is_unreduced(loss, function, visit.project):
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(node),
            symbol=visit.symbol,
            message=(
                f"`{ast.unparse(loss)}` has a number for each target, for its "
                'reduction is "none": backward wants one number'
            ),
            extent=(loss.lineno, loss.end_lineno or loss.lineno),
        )


def _may_say_none(module: SourceModule) -> bool:
    """Whether a file tells a loss not to reduce, or has a loss of another file that may."""
    words = ('"none"', "'none'", "reduce")
    return any(one in module.text for one in words) or any(
        "loss" in bound.lower() and not qualified.startswith("torch.")
        for bound, qualified in module.names.aliases.items()
    )


def _loss(node: ast.AST) -> ast.expr | None:
    """What a backward pass begins with that is not told what each number counts."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    if any(one.arg not in _MANNERS for one in node.keywords):
        return None
    if node.args:  # accelerator.backward(loss), or gradients for loss.backward(weights)
        root = node.func.value
        by = node.func.attr == "manual_backward" or _TAKES_LOSS.search(ast.unparse(root))
        return node.args[0] if by and len(node.args) == 1 else None
    value = node.func.value
    if isinstance(value, ast.Call) and called_name(value) == "scale" and len(value.args) == 1:
        return value.args[0]
    return value


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

    def learn(self, input_ids, optimizer):
        logits = self(input_ids[:, :-1]).transpose(1, 2)
        loss = F.cross_entropy(logits, input_ids[:, 1:], reduction="none")
        optimizer.zero_grad()
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
        "on it as it is, or weighed number by number; it may come from a helper in sight. Not "
        "meant: a loss that is summed, averaged or masked in between, or a "
        "backward that is given what each number counts."
    ),
    harm="torch raises an error at the first step, unless a batch has a single target.",
    confirmed_by=(
        "No probe runs a user's own loop. Run one step: grad can be implicitly created only for "
        "scalar outputs."
    ),
    sick=SICK,
    healed=SICK.replace("loss.backward()", "loss.mean().backward()"),
    suspects={calls("backward", "manual_backward"): _suspect},
)
