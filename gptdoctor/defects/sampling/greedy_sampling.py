"""GD405: a method that promises to sample always takes the likeliest token."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Confidence, Conviction, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.sampling import SampledMethod, Sampling
from gptdoctor.core.measurements.written_call import values_of
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.generation_tests import draws, known
from gptdoctor.source.promised_draws import greedy_pick, may_promise, promises_of
from gptdoctor.source.token_picks import may_pick

CODE = "GD405"
PROBE = "sampling"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    function = visit.flow
    if not isinstance(node, ast.Call) or function is None or not may_pick(node):
        return
    if not visit.in_loop and not may_promise(function):
        return  # as nearly all
    promises = promises_of(function)
    pick = greedy_pick(node, visit.project, function) if promises else None
    if pick is not None:
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(node),
            symbol=visit.symbol,
            message=(
                f"`{pick.form}` takes the likeliest token every time, "
                f"though {promises[0]} promises sampling"
            ),
            details={"operand": ast.unparse(pick.operand), "promised_by": promises},
            extent=(node.lineno, node.end_lineno or node.lineno),
        )


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Sampling):
        return
    for method in measurement.methods:
        if method.promises and not method.parameter and method.draws:
            yield _conviction(method)


def _conviction(method: SampledMethod) -> Conviction:
    told = "takes the likeliest token every time" if method.greedy else "draws different tokens"
    (draw,) = method.draws
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED if method.greedy else Status.REFUTED,
        probe=PROBE,
        place=method.choice_place if method.greedy else method.place,
        message=f"`{method.symbol}` {told}, though {method.promises[0]} promises sampling",
        values={
            "promised_by": method.promises,
            "argmax_share": draw.argmax_share,
            "rows": draw.rows,
            "distinct_tokens": draw.distinct_tokens,
            **values_of(method.written),
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """Many draws from known logits, in which no token is that likely."""
    drawing = draws(values)
    if not drawing:
        return ""
    return (
        f"{known(values)}"
        f"{drawing}"
        "share = (drawn == known.argmax()).double().mean().item()\n"
        'assert share < 0.99, f"{share:.0%} of the draws are the likeliest token"\n'
    )


SICK = """\
import torch
from torch import nn


class Writer(nn.Module):
    def __init__(self, vocab_size=1000, width=64):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids):
        return self.head(self.mix(self.embed(ids))[0])

    def loss(self, ids):
        logits = self(ids[:, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    @torch.no_grad()
    def sample(self, ids, max_new_tokens):
        for _ in range(max_new_tokens):
            logits = self(ids)[:, -1]
            probs = torch.softmax(logits, dim=-1)
            ids = torch.cat([ids, probs.argmax(-1, keepdim=True)], dim=1)
        return ids
"""

HEALED = SICK.replace("probs.argmax(-1, keepdim=True)", "torch.multinomial(probs, 1)")

DEFECT = Defect(
    code=CODE,
    name="greedy-sampling",
    severity=Severity.MEDIUM,
    summary="A method that says that it samples takes the likeliest token every time.",
    explanation=(
        "A method promises sampling by its name, by do_sample=True, by top_k or top_p, or in its "
        "documentation, takes no temperature, and is greedy. In the text: argmax, the index of "
        "max, topk with k = 1 or a falling order chooses among what a model says in a loop, the "
        "choice is joined to the text, and nothing draws. Not meant: a method that says that "
        "it is greedy, or searches with beams. With a temperature this is GD401."
    ),
    harm=(
        "Every call gives the same text; the filters that it offers choose among tokens of which "
        "only one is ever taken."
    ),
    confirmed_by=(
        "The probe sampling lets the method draw 512 and more tokens from known logits, in which "
        "the likeliest token has a share of a few percent. That token in every row confirms; any "
        "others refute."
    ),
    sick=SICK,
    healed=HEALED,
    suspects={calls("argmax", "max", "topk", "argsort", "sort"): _suspect},
    confidence=Confidence.MEDIUM,  # what a name or a comment promises is not always meant
    convicts={PROBE: _convict},
    proof=Proof(measures=("probes.instruments.filter_draws:known_logits",), test=_test),
)
