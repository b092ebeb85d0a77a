"""GD203: the router's weights do not reach the output, only its choice does."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.routed_experts import RoutedBlock, RoutedExperts
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.averaged_experts import shares_beside
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.ignored_weights import (
    Ignored,
    ignored_of_arguments,
    ignored_of_max,
    ignored_of_topk,
    takes_weights,
)
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.names import called_name
from gptdoctor.source.routing_tests import ROUTER_MEASURES, router_learns

CODE = "GD203"
PROBE = "routed-experts"


def see_function(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A function that is given the router's weights with its choice, and runs the experts."""
    if not isinstance(node, ast.FunctionDef) or not takes_weights(node):
        return
    function = functions_of(visit.project, visit.module).get(node)
    found = None if function is None else ignored_of_arguments(function, visit.project)
    if function is not None and found is not None:
        yield _suspicion(found, function, visit)


def see_topk(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A choice whose weights are given a name, and of which the choice alone is used."""
    around = visit.parent
    if not isinstance(node, ast.Call) or not isinstance(around, ast.Assign) or visit.flow is None:
        return
    asked = ignored_of_max if called_name(node) == "max" else ignored_of_topk
    found = asked(node, visit.flow)
    if found is not None:
        yield _suspicion(found, visit.flow, visit)


def see_mean(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """An average of all experts, beside shares that a router has made for them."""
    function = visit.flow
    if not isinstance(node, ast.Call) or function is None:
        return
    shares = shares_beside(node, visit.project, function)
    if shares:
        told = (
            f"`{text_of(node)}` counts all experts the same, and `{shares}`, which the router has "
            "made for them, is multiplied with nothing"
        )
        yield suspicion(CODE, node, function, told)


def _suspicion(found: Ignored, function: Function, visit: Visit) -> Suspicion:
    return Suspicion(
        rule=CODE,
        location=visit.module.location(found.merge),
        symbol=function.symbol,
        message=(
            f"The experts that `{found.choice}` chooses are added up here, and `{found.weights}` "
            f"is read nowhere in `{function.name}`: all that were chosen count the same"
        ),
        details={"weights": found.weights, "choice": found.choice},
        extent=(function.node.lineno, function.node.end_lineno or function.node.lineno),
    )


def read_blocks(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict blocks whose output knows nothing of the scores but the choice."""
    if not isinstance(measurement, RoutedExperts):
        return
    for block in measurement.blocks:
        if block.weights_ignored and not block.works_for_wrong_tokens and not block.lost:
            yield _confirmed(block)
        elif block.weight_effect is not None and not block.weights_ignored:
            yield Conviction(
                rule=CODE,
                status=Status.REFUTED,
                probe=PROBE,
                place=block.place,
                message=f"The weights of {block.experts_name} move the output.",
                values=block.figures,
            )


def _confirmed(block: RoutedBlock) -> Conviction:
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=(block.cut if block.constant_instead else block.merged) or block.place,
        message=(
            f"The {block.chosen} experts that a token gets all count the same here: other weights "
            "of the router with the same choice do not move the output."
        ),
        values={
            **block.figures,
            "relative_change": block.weight_effect,
            "router_gradient": block.router_gradient,
            "expert_gradient": block.expert_gradient,
            "router_parameters": block.router_parameters,
        },
        symptom=True,
    )


def _test(values: Mapping[str, Value]) -> str:
    """The gradients of the router, which comes through its weights alone, and of its experts."""
    return router_learns(values)


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
        weights, chosen = self.router(x).softmax(-1).topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for slot in range(self.k):
            for number, expert in enumerate(self.experts):
                mask = chosen[..., slot] == number
                out[mask] += expert(x[mask])
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
    name="routing-weights-ignored",
    severity=Severity.HIGH,
    summary="The router's weights are taken and never applied.",
    explanation=(
        "The scores of the chosen experts are given a name, or handed with the choice to the "
        "function that runs the experts, and their results are added up or averaged without "
        "them; to divide them by their sum is no use of them. Or all experts are averaged beside "
        "shares of a router that are handed out, or not even that. One expert a token needs no "
        "weight (GD204 tells whether its router learns) unless it is asked for by name, scores "
        "that nobody takes beside the choice may be an average by design, and a straight-through "
        "estimator applies them in the backward pass alone: none of these is meant."
    ),
    harm=(
        "Only the choice of the router matters, and that has no gradient: which experts a token "
        "gets is never learned, and all that were chosen count the same."
    ),
    confirmed_by=(
        "The probe routed-experts calls the block again with other weights of the router and the "
        "same choice. An output that stays the same to 1e-5, of a router that gets no gradient "
        "from the logits either, confirms it; an output that moves refutes it."
    ),
    sick=SICK,
    healed=SICK.replace(
        "out[mask] += expert(x[mask])",
        "out[mask] += weights[..., slot][mask, None] * expert(x[mask])",
    ),
    suspects={
        ast.FunctionDef: see_function,
        calls("topk", "max"): see_topk,
        calls("mean", "sum"): see_mean,
    },
    words=("expert", "Expert"),
    convicts={PROBE: read_blocks},
    explains=("GD102", "GD204"),
    proof=Proof(measures=ROUTER_MEASURES, test=_test),
)
