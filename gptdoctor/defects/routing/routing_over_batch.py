"""GD207: scores are normalised or chosen over the tokens instead of the experts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.routed_experts import RoutedBlock, RoutedExperts
from gptdoctor.defect import Defect, NamedIn, Proof, Visit, calls
from gptdoctor.source.attention_names import may_make_softmax
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.source.routing_axes import dimension_told, softened_over_tokens
from gptdoctor.source.summed_shares import shared_over_rows

CODE = "GD207"
PROBE = "routed-experts"
LAYER = re.compile(r"\bself\.(\w+)\s*=\s*(?:\w+\.)*Softmax\(")


def see_softmax(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A softmax of a router's scores, of which experts are chosen along another dimension."""
    function = visit.flow
    if not isinstance(node, ast.Call) or function is None or not _chooses(function.text):
        return
    choice = softened_over_tokens(visit.project, node, function)
    if choice is not None:
        told = (
            f"`{text_of(node.func)}` {dimension_told(node, visit.project, function)}, and "
            f"`{text_of(choice.func).rpartition('.')[2]}` chooses the experts along the last: each "
            "expert is shared out over the tokens"
        )
        yield suspicion(CODE, node, function, told, (choice,))


def see_sum(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A sum over experts, of shares that add up to 1 over the tokens."""
    function = visit.flow
    if not isinstance(node, ast.Call) or function is None or "xpert" not in visit.module.text:
        return
    for made, where in shared_over_rows(node, visit.project, function):
        if where.module is visit.module:
            told = (
                f"`{text_of(made)}` adds up to 1 over the tokens, and `{text_of(node)}` sums over "
                "the experts: each expert is shared out over the tokens"
            )
            yield suspicion(CODE, made, where, told)


def layers_of_softmax(_: Project, module: SourceModule) -> frozenset[str]:
    """The attributes under which a file's classes keep an nn.Softmax, but for those so called."""
    if not may_make_softmax(module):
        return frozenset()
    return frozenset(LAYER.findall(module.text)) - {"softmax"}


def _chooses(text: str) -> bool:
    return "topk" in text or "argmax" in text or ".max(" in text


def read_blocks(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict normalisations and choices along a dimension of tokens."""
    if not isinstance(measurement, RoutedExperts):
        return
    for block in measurement.blocks:
        if block.wrong_axis is not None:
            yield _confirmed(block)
        elif not block.reason:
            yield Conviction(
                rule=CODE,
                status=Status.REFUTED,
                probe=PROBE,
                place=block.place,
                message=f"The scores of {block.experts_name} are shared out over the experts.",
                values=block.figures,
            )


def _confirmed(block: RoutedBlock) -> Conviction:
    wrong = block.wrong_axis
    what, over, rows = (wrong.operation, wrong.over, wrong.rows) if wrong else ("", "", 0)
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=(wrong.place if wrong else None) or block.choice,
        message=(
            f"{what} runs over {over} ({rows} of them) instead of the {block.experts} experts: "
            "what a token gets depends on the others."
        ),
        values={**block.figures, "operation": what, "over": over, "rows": rows},
    )


def _test(values: Mapping[str, Value]) -> str:
    """What other rows of the batch, or later positions, do to the logits."""
    if values.get("over") == "the positions":
        return (
            "model = jitter(build().eval(), 0.1, seed=0)\n"
            "text = random_ids(batch=1)[0]\n"
            "with torch.no_grad():\n"
            "    moved = moved_outputs(\n"
            "        lambda ids: logits(model, ids), text, other_ids(text), [[T - 1]]\n"
            "    )\n"
            "early = moved[0, :-1].max()\n"
            'assert early <= 1e-5, f"the last token moves earlier logits by {early:.2g}"\n'
        )
    return (
        "model = jitter(build().eval(), 0.1, seed=0)\n"
        'inputs = {"ids": random_ids(0, 5, 5)}\n'
        'others = {"ids": random_ids(1, 5, 5)}\n'
        "influence = row_influence(\n"
        '    lambda given: logits(model, given["ids"]), inputs, others, {"ids": 0}\n'
        ")\n"
        "assert influence is not None\n"
        'assert influence <= 1e-5, f"other rows move the logits of row 0 by {influence:.2g}"\n'
    )


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Mixture(nn.Module):
    def __init__(self, width, experts=4, k=2):
        super().__init__()
        self.k = k
        self.router = nn.Linear(width, experts)
        self.experts = nn.ModuleList(nn.Linear(width, width) for _ in range(experts))

    def forward(self, x):
        B, T, C = x.shape
        weights, chosen = self.router(x).softmax(1).topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for slot in range(self.k):
            for number, expert in enumerate(self.experts):
                mask = chosen[..., slot] == number
                out[mask] += weights[..., slot][mask, None] * expert(x[mask])
        return out


class Reader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.past = nn.GRU(width, width, batch_first=True)
        self.mixture = Mixture(width)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        x, _ = self.past(self.embedding(ids))
        logits = self.head(x + self.mixture(x))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="routing-over-batch",
    severity=Severity.HIGH,
    summary="The router shares its scores out over the tokens instead of the experts.",
    explanation=(
        "A softmax, a division by a sum or a top-k along the wrong dimension: the scores of one "
        "token do not add up to 1 over the experts, those of one expert add up to 1 over the "
        "tokens. Experts that choose their tokens by design, averages of tokens that experts are "
        "given (soft mixtures with slots) and Sinkhorn's balance are right."
    ),
    harm=(
        "What a token gets depends on the other rows of the batch and on what comes later in the "
        "text: the model cannot generate as it was trained, and its results change with the batch."
    ),
    confirmed_by=(
        "The probe routed-experts follows the scores from the router to where they meet the "
        "experts' results. A normalisation on the way along a dimension that does not count "
        "experts confirms it, and so do chosen numbers of tokens that are taken for numbers of "
        "experts."
    ),
    sick=SICK,
    healed=SICK.replace(
        "weights, chosen = self.router(x).softmax(1).topk(self.k, dim=-1)",
        "weights, chosen = self.router(x).softmax(-1).topk(self.k, dim=-1)",
    ),
    suspects={
        calls("softmax"): see_softmax,
        NamedIn(ast.Call, layers_of_softmax): see_softmax,
        calls("einsum"): see_sum,
    },
    convicts={PROBE: read_blocks},
    explains=("GD801", "GD802"),
    proof=Proof(
        measures=(
            "probes.causality:moved_outputs",
            "probes.shapes:row_influence",
            "probes.instruments.weights:jitter",
        ),
        test=_test,
    ),
)
