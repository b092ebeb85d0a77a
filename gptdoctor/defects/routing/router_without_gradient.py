"""GD204: the language-model loss does not reach the router."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.routed_experts import RoutedBlock, RoutedExperts
from gptdoctor.defect import Defect, Proof
from gptdoctor.source.routing_tests import ROUTER_MEASURES, router_learns

CODE = "GD204"
PROBE = "routed-experts"


def read_blocks(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict routers that get no gradient though their experts do."""
    if not isinstance(measurement, RoutedExperts):
        return
    for block in measurement.blocks:
        if _is_sick(block):
            yield _confirmed(block)
        elif block.gradients_are_numbers and block.router_learns:
            yield Conviction(
                rule=CODE,
                status=Status.REFUTED,
                probe=PROBE,
                place=block.place,
                message=f"The router of {block.experts_name} gets a gradient from the logits.",
                values=block.figures,
            )


def _is_sick(block: RoutedBlock) -> bool:
    """Without a gradient, where neither another rule nor the design explains it."""
    explained = block.weights_ignored or block.works_for_wrong_tokens or bool(block.lost)
    one_of_one = block.cut_by == "constant" and block.operation == "topk" and block.chosen == 1
    return not (block.router_learns or explained or one_of_one or block.only_balanced)


def _confirmed(block: RoutedBlock) -> Conviction:
    if block.cut is None:
        why = "the router's scores decide on the choice alone"
    elif block.cut_by == "constant":
        why = "the weights that are made here are all the same"
    else:
        why = f"{block.cut_by} here gives scores without a gradient"
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=block.cut or block.place,
        message=f"The router of {block.experts_name} learns nothing from the logits: {why}.",
        values={
            **block.figures,
            "router_gradient": block.router_gradient,
            "expert_gradient": block.expert_gradient,
            "cut_by": block.cut_by or None,
            "router_parameters": block.router_parameters,
        },
        symptom=True,
    )


def _test(values: Mapping[str, Value]) -> str:
    """The gradients of the router and of its experts."""
    return router_learns(values)


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Mixture(nn.Module):
    def __init__(self, width, experts=4):
        super().__init__()
        self.router = nn.Linear(width, experts)
        self.experts = nn.ModuleList(nn.Linear(width, width) for _ in range(experts))

    def forward(self, x):
        weights = self.router(x).softmax(-1)
        best = weights.argmax(-1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            mask = best == number
            out[mask] = expert(x[mask])
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
    name="router-without-gradient",
    severity=Severity.HIGH,
    summary="The logits give the router no gradient.",
    explanation=(
        "The scores are detached, made without recording gradients, rounded, or used for the "
        "choice alone, so that nothing tells the router which expert would have been better. A "
        "choice by hash or by frozen weights has nothing to learn; a router that another loss of "
        "the model trains, and whose scores weigh nothing by design, is right, and so are biases "
        "that balance the load. Weights that are normalised over a single chosen expert are always "
        "1: that is a matter of how many are chosen, and not told."
    ),
    harm=(
        "The router stays as it was initialised, or learns to balance the load and nothing else: "
        "tokens are sent to experts at random."
    ),
    confirmed_by=(
        "The probe routed-experts sends a random sum of the logits back, with moved weights. A "
        "router whose largest gradient is less than 1e-6 of its experts' confirms it, at the "
        "operation that cuts the scores where one does; a larger one refutes it."
    ),
    sick=SICK,
    healed=SICK.replace("expert(x[mask])", "weights[mask, number, None] * expert(x[mask])"),
    convicts={PROBE: read_blocks},
    proof=Proof(measures=ROUTER_MEASURES, test=_test),
)
