"""GD201: a token's expert results are written over one another."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.expert_routing import ExpertList, ExpertRouting
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.routed_experts import RoutedExperts
from gptdoctor.core.repairs import Applicability, FixPromise
from gptdoctor.defect import Defect, Proof, Visit
from gptdoctor.source.flow_experts import expert_loop
from gptdoctor.source.flow_overwrites import writes_in
from gptdoctor.source.flow_routing import Collision, Routing
from gptdoctor.source.routing_tests import ROWS_MEASURES, all_rows_count

CODE = "GD201"
PROBE, STACKS_PROBE = "expert-routing", "routed-experts"


def see_loop(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A loop over experts that stores their results where others may lie already."""
    function = visit.flow
    if not isinstance(node, ast.For) or function is None:
        return
    loop = expert_loop(node, function)
    if loop is None:
        return  # three of four, and the next rules ask the same of each
    routing = Routing(visit.project, loop)
    for write in writes_in(node):
        collision = routing.collision(write)
        if collision is not None:
            yield _suspicion(collision, visit)


def _suspicion(collision: Collision, visit: Visit) -> Suspicion:
    location = visit.module.location(collision.write.statement)
    return Suspicion(
        rule=CODE,
        location=location,
        symbol=visit.symbol,
        message=(
            f"{collision.write.operation} replaces what {collision.write.buffer} holds, "
            f"{collision.reason}: all but the last expert's result of a token are lost."
        ),
        details=collision.details(),
        extent=(location.line, location.end_line),
    )


def read_routing(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict the statements that overwrote rows, where rows are lost."""
    if not isinstance(measurement, ExpertRouting):
        return
    for experts in measurement.lists:
        if experts.rows_lost == 0 and not experts.overwrites:
            yield _refuted(experts)
        elif experts.rows_lost > 0:
            yield from _confirmed(experts, _chosen(experts, record))


def _refuted(experts: ExpertList) -> Conviction:
    return Conviction(
        rule=CODE,
        status=Status.REFUTED,
        probe=PROBE,
        place=Place(path=experts.path, symbol=experts.symbol),
        message=f"Every row that {experts.name} computed reaches the output.",
        values=_values(experts),
    )


def _chosen(experts: ExpertList, record: ModelRecord) -> int | None:
    """How many experts a token has, as another probe saw; None: it did not, or they have tokens."""
    for one in record.told(RoutedExperts):
        for block in one.blocks:
            if block.experts_name == experts.name and not block.over_tokens:
                return block.chosen
    return None


def _confirmed(experts: ExpertList, chosen: int | None) -> Iterator[Conviction]:
    for one in experts.overwrites:
        if one.rows > 0:
            yield Conviction(
                rule=CODE,
                status=Status.CONFIRMED,
                probe=PROBE,
                place=Place(path=one.path, symbol=one.symbol, line=one.line),
                message=(
                    f"{one.operation} writes over {one.rows} rows that experts computed; "
                    f"{experts.rows_lost} of {experts.rows_run} rows never reach the output."
                ),
                values={**_values(experts), "rows_overwritten": one.rows, "chosen": chosen},
            )


def read_stacks(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict the statement that writes over what experts with stacked weights have given."""
    if not isinstance(measurement, RoutedExperts):
        return
    for block in measurement.blocks:
        lost = block.overwritten
        if lost is None or lost.place is None or not block.loses_what_is_overwritten:
            continue
        yield Conviction(
            rule=CODE,
            status=Status.CONFIRMED,
            probe=STACKS_PROBE,
            place=lost.place,
            message=(
                f"{lost.operation} writes over {lost.rows} rows that experts computed, and tokens "
                "do not move with all the experts that were chosen for them."
            ),
            values={**block.figures, "rows_overwritten": lost.rows},
        )


def _values(experts: ExpertList) -> dict[str, Value]:
    return {
        "experts_list": experts.name,
        "experts": experts.experts,
        "experts_run": experts.experts_run,
        "rows_run": experts.rows_run,
        "rows_lost": experts.rows_lost,
    }


def _test(values: Mapping[str, Value]) -> str:
    """The rows of the experts on which the logits depend: one for each choice."""
    return all_rows_count(values)


SICK = """\
import torch
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
                out[mask] = expert(x[mask])
        return out
"""

DEFECT = Defect(
    code=CODE,
    name="expert-output-overwritten",
    severity=Severity.CRITICAL,
    summary="The results of a token's experts are written over one another.",
    explanation=(
        "A token goes to several experts, and each result is stored by an assignment (a mask, row "
        "numbers, index_put, index_copy, scatter, torch.where) into the same buffer. Additions, "
        "routing to one expert only, a fresh buffer for each slot and a place of its own for each "
        "expert are right."
    ),
    harm=(
        "Only the last result of each token reaches the output: the other experts are computed "
        "for nothing, get no gradient for that token, and the router's weights mean nothing."
    ),
    confirmed_by=(
        "The probe expert-routing counts the rows that experts compute, the rows that a statement "
        "writes over, and the rows whose gradient is exactly zero. Overwritten and lost rows "
        "confirm it; where every row reaches the output it is refuted."
    ),
    sick=SICK,
    healed=SICK.replace(
        "out[mask] = expert(x[mask])",
        "out[mask] += weights[..., slot][mask].unsqueeze(-1) * expert(x[mask])",
    ),
    suspects={ast.For: see_loop},
    convicts={PROBE: read_routing, STACKS_PROBE: read_stacks},
    explains=("GD202", "GD203", "GD204", "GD206"),
    fix=FixPromise(
        applicability=Applicability.SAFE,
        title="Add up the weighted results of the chosen experts",
        safety=(
            "Safe where a run shows that rows are lost: they are added instead, and the router's "
            "weight is applied where it is not yet. A guess where nothing was measured, because "
            "the routing may choose one expert for each token only."
        ),
        order=3,
    ),
    proof=Proof(measures=ROWS_MEASURES, test=_test),
)
