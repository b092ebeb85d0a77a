"""GD817: a layer that wants time first is given the batch first."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.batch_order import batch_comes_first, is_said_batch_first, source_of
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.layer_calls import calls_of, kept_as
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.project import Project
from gptdoctor.source.result_order import begins_with_rows_of, results_have_batch_first
from gptdoctor.source.spread_options import keywords_of

CODE = "GD817"
LAYERS = (
    "MultiheadAttention",
    "TransformerEncoderLayer",
    "TransformerDecoderLayer",
    "Transformer",
    "LSTM",
    "GRU",
    "RNN",
)
# Where batch_first stands among the arguments by position: none gets there by chance.
_LONGEST = 7


def see_layer(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A layer made without batch_first, where the class calls it with the batch first."""
    if not isinstance(node, ast.Call) or visit.owner is None or visit.flow is None:
        return
    layer = visit.module.names.called(node) or ""
    if not layer.startswith("torch.nn.") or layer.removeprefix("torch.nn.") not in LAYERS:
        return
    if not _is_time_first(node, visit.flow):
        return
    name = kept_as(node, visit.parents, visit.flow)
    for call, function in calls_of(visit.project, visit.owner, name) if name else ():
        if call.args and _has_batch_first(visit.project, function, call):
            told = (
                f"`{text_of(node.func)}` takes (time, batch, channels) without batch_first=True, "
                f"and `{text_of(call.args[0])}` of line {call.lineno} has the batch first: the "
                "rows of a batch are taken for positions"
            )
            yield suspicion(CODE, node, visit.flow, told)
            return


def _has_batch_first(project: Project, function: Function, call: ast.Call) -> bool:
    """Whether the text says of what a layer is given, or of what it gives, that it is [B, T, C]."""
    passed: list[ast.expr] = []
    found = source_of(project, function, call.args[0], passed)
    if found is not None and batch_comes_first(function, found[0]):
        return True
    if any(is_said_batch_first(one, function) for one in passed):
        return True
    if found is not None and begins_with_rows_of(call, found[0], function):
        return True
    return results_have_batch_first(project, call, function)


def _is_time_first(call: ast.Call, function: Function) -> bool:
    if len(call.args) > _LONGEST or any(isinstance(one, ast.Starred) for one in call.args):
        return False
    named = keywords_of(call, function)
    if named is None:
        return False
    given = named.get("batch_first")
    return given is None or (isinstance(given, ast.Constant) and given.value is False)


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Reader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, width)
        self.places = nn.Embedding(64, width)
        self.memory = nn.LSTM(width, width, num_layers=2)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        places = self.places(torch.arange(ids.shape[1], device=ids.device))
        x, _ = self.memory(self.tokens(ids) + places)
        logits = self.head(x)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="batch-first-missing",
    severity=Severity.CRITICAL,
    summary="A layer that takes time first is given tensors with the batch first.",
    explanation=(
        "`nn.MultiheadAttention`, the Transformer layers, `nn.LSTM`, `nn.GRU` and `nn.RNN` take "
        "(time, batch, channels) unless they are made with `batch_first=True`. Reported is a layer "
        "whose class says that its input is (batch, time, ...), by `B, T = ids.shape`, by "
        "positions as many as dimension 1 is long, by a mask over it, by a first state of as many "
        "rows as dimension 0, or in a comment; or that takes the last position of its result by "
        "`out[:, -1]` or a mean over dimension 1; and that turns nothing on the way. A model that "
        "has time first throughout is not meant."
    ),
    harm=(
        "The layer attends, or remembers, along the batch: rows read each other, and no position "
        "sees another. No shape is wrong, and the loss falls to what single tokens tell."
    ),
    confirmed_by=(
        "No probe measures it under this code: of two dimensions a run cannot tell which one was "
        "meant to be the batch, and calls such a model with time first. Exchange one row of a "
        "batch, and the outputs of the others move."
    ),
    sick=SICK,
    healed=SICK.replace("num_layers=2", "num_layers=2, batch_first=True"),
    suspects={calls(*LAYERS): see_layer},
)
