"""GD815: a causal mask that is made and never used."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.causality import Causality
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.kept import kept
from gptdoctor.source.leak_test import MEASURES, later_tokens_test
from gptdoctor.source.mask_text import MaskReader
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.statements import own_statements
from gptdoctor.source.unread_masks import unread_attribute, unread_calls, unread_name

CODE = "GD815"
PROBE = "causality"


def see_triangle(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A triangle that is given to a name or an attribute of a network, which nobody reads."""
    flow, owner = visit.flow, visit.owner
    if flow is None:
        return
    statement = next((one for one in reversed(visit.parents) if isinstance(one, ast.stmt)), None)
    if isinstance(statement, ast.Return):
        for call, function in unread_calls(visit.project, flow):
            if visit.module is function.module and _is_mask(statement.value, visit):
                told = f"`{text_of(call)}` makes a causal mask that nothing reads"
                yield suspicion(CODE, call, function, told)
    if owner is None or statement is None or not visit.project.is_network(owner):
        return
    if flow.name == "__init__":
        name = unread_attribute(visit.project, owner, statement, node)
        if name and visit.module.text.count(f"class {owner.name}") == 1:
            told = f"`self.{name}` is a causal mask that nothing reads, and the attention has none"
            yield suspicion(CODE, statement, flow, told)
    elif flow.method and (found := unread_name(statement, flow)) is not None:
        name, value = found
        if _is_mask(value, visit):
            told = f"`{name}` is made of `{text_of(value)}` and never used"
            yield suspicion(CODE, statement, flow, told)


def see_positions(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A comparison of two ranges of positions that nobody reads."""
    function = visit.function
    if function is None or function.name == "__init__":
        return
    text = visit.module.lines_of(function)
    if not any(map(text.__contains__, (" < ", " > ", " <= ", " >= "))):
        return
    flow, owner = visit.flow, visit.owner
    if flow is None or owner is None or not flow.method:
        return
    for statement in _comparisons(flow):
        found = unread_name(statement, flow)
        if found is not None and visit.project.is_network(owner) and _is_mask(found[1], visit):
            told = f"`{found[0]}` is made of `{text_of(found[1])}` and never used"
            yield suspicion(CODE, statement, flow, told)


@kept(8)  # asked for each range of a function
def _comparisons(function: Function) -> list[ast.Assign]:
    """The statements of a function that give the result of a comparison to something."""
    statements = own_statements(function.node)
    assigned = [one for one in statements if isinstance(one, ast.Assign)]
    return [one for one in assigned if one.value.__class__ is ast.Compare]


def _is_mask(value: ast.expr | None, visit: Visit) -> bool:
    if value is None or visit.flow is None:
        return False
    mask = MaskReader(visit.project).read(value, visit.flow)
    return mask is not None and mask.region is not None


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
        "that nothing in the method reads, or a constructor keeps it in an attribute that no line "
        "of the file reads, of a class whose attention has no other mask. Others that a "
        "constructor keeps are not meant."
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
    suspects={
        calls("tril", "triu", "tril_", "triu_", "generate_square_subsequent_mask"): see_triangle,
        calls("arange"): see_positions,
    },
    convicts={PROBE: read_causality},
    proof=Proof(measures=MEASURES, test=_test),
    explains=("GD801",),
)
