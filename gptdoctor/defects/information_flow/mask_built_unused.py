"""GD815: a causal mask that is made and never used."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.causality import Causality
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.classes import FunctionNode
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.kept import kept
from gptdoctor.source.leak_test import MEASURES, later_tokens_test
from gptdoctor.source.mask_text import MaskReader
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.nodes import every_node

CODE = "GD815"
PROBE = "causality"
# What reads local names without writing them.
_READERS = frozenset({"locals", "vars", "eval", "exec"})


def see_triangle(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A triangle that is given to a name of a network's method, which nobody reads."""
    flow, owner = visit.flow, visit.owner
    if flow is None or owner is None or not visit.project.is_network(owner):
        return
    if flow.name == "__init__" or not flow.method:
        return
    statement = next((one for one in reversed(visit.parents) if isinstance(one, ast.stmt)), None)
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return
    target = statement.targets[0]
    if not isinstance(target, ast.Name) or _read_in(flow.node) & {target.id, *_READERS}:
        return
    mask = MaskReader(visit.project).read(statement.value, flow)
    if mask is not None and mask.region is not None:
        told = f"`{target.id}` is made of `{text_of(statement.value)}` and never used"
        yield suspicion(CODE, statement, flow, told)


@kept(64)
def _read_in(function: FunctionNode) -> frozenset[str]:
    """The names that a function reads, inner functions included."""
    return frozenset(
        node.id
        for node in every_node(function)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store)
    )


def read_causality(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Confirm what the text raised where the future leaks in the same class."""
    if not isinstance(measurement, Causality) or not measurement.leaks:
        return
    place = measurement.place
    if place is None or not place.path:
        return
    yield Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=Place(path=place.path, symbol=place.symbol.partition(".")[0]),
        message="Later tokens move the outputs of earlier positions.",
        values=_seen(measurement),
        alone=False,
    )


def _seen(measurement: Causality) -> dict[str, Value]:
    """The run that showed the leak."""
    leak = max(measurement.runs, key=lambda run: run.influence, default=None)
    if leak is None:
        return {}
    return {"influence": leak.influence, "how": leak.how, "length": leak.length}


def _test(values: Mapping[str, Value]) -> str:
    """Each token exchanged alone, at the length and in the way that showed the leak."""
    return later_tokens_test(values.get("length"), str(values.get("how")))


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Reading(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.inward = nn.Linear(width, 3 * width)

    def forward(self, x):
        parts = self.inward(x).unflatten(-1, (3, self.heads, -1))
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        shown = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
        y = F.scaled_dot_product_attention(q, k, v)
        return y.transpose(1, 2).flatten(2)


class Novelist(nn.Module):
    def __init__(self, vocab_size, width, heads=2):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.reading = Reading(width, heads)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        x = self.embedding(ids)
        logits = self.head(x + self.reading(x))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="mask-built-unused",
    severity=Severity.HIGH,
    summary="A causal mask is made in the forward pass and never used.",
    explanation=(
        "A `tril`, a `triu` or a comparison of positions is given to a name of a network's method "
        "that nothing in the method reads. Masks that a constructor keeps are not meant: others "
        "may read them."
    ),
    harm=(
        "Somebody meant to hide the future, and it is not hidden: the model learns to copy the "
        "answer. Where the attention is causal by another way, the mask is work for nothing."
    ),
    confirmed_by=(
        "The probe causality changes later tokens and looks whether earlier outputs move. A leak "
        "in the class confirms it."
    ),
    sick=SICK,
    healed=SICK.replace("(q, k, v)\n", "(q, k, v, attn_mask=shown)\n"),
    suspects={calls("tril", "triu", "generate_square_subsequent_mask"): see_triangle},
    convicts={PROBE: read_causality},
    proof=Proof(measures=MEASURES, test=_test),
    explains=("GD801",),
)
