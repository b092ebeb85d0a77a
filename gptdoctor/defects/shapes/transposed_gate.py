"""GD301: a gate is transposed so that batch and time trade places."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.shapes import ShapeCase, Shapes
from gptdoctor.core.repairs import Applicability, FixPromise
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.flow_axes import AxesReader
from gptdoctor.source.flow_experts import ExpertLoop, expert_loop, mapped_loop
from gptdoctor.source.flow_gates import Gate, transposed_gates
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.flow_turns import Turn, turn_of
from gptdoctor.source.kept import kept
from gptdoctor.source.project import Project
from gptdoctor.source.swapped_products import (
    SWAPPING,
    multiplied_with,
    names_first,
    swaps_first_two,
)

CODE = "GD301"
PROBE = "shapes"
MULTIPLIED = "multiplied"  # how a gate is used that no loop takes apart
# Rows influence each other by up to 3.3e-7 of the largest logit by rounding alone; the smallest
# real leak seen is 7e-4.
LEAST_INFLUENCE = 1e-5


def see_loop(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A loop that pairs the slices of a transposed gate with experts."""
    function = visit.flow
    loop = None if function is None else expert_loop(node, function)
    if loop is not None:
        yield from _judge(loop, visit)


def see_lambda(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """map(lambda w, expert: ..., gate.T, self.experts)."""
    call, function = visit.parent, visit.flow
    if function is None or not isinstance(call, ast.Call) or not isinstance(node, ast.Lambda):
        return
    loop = mapped_loop(node, call, function)
    if loop is not None:
        yield from _judge(loop, visit)


def see_product(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A gate with batch and time swapped, multiplied with what was not turned."""
    if not isinstance(node, ast.Call) or not names_first(node):
        return  # as most, which turn the last dimensions
    function = visit.flow
    turn = turn_of(node, function) if function else None
    if turn is None or function is None or not swaps_first_two(turn):
        return
    partner = multiplied_with(turn, function)
    if partner is not None:
        yield _of_product(turn, partner)


def _of_product(turn: Turn, partner: ast.expr) -> Suspicion:
    location = turn.function.module.location(turn.node)
    return Suspicion(
        rule=CODE,
        location=location,
        symbol=turn.function.symbol,
        message=(
            f"{text_of(turn.node)} swaps batch and time of the gate, and {text_of(partner)}, "
            "which it is multiplied with, keeps them."
        ),
        details={
            "gate": text_of(turn.base),
            "transposed": text_of(turn.node),
            "spelling": turn.spelling,
            "use": MULTIPLIED,
        },
        extent=(location.line, location.end_line),
    )


@kept(8)
def _reader(project: Project) -> AxesReader:
    return AxesReader(project)


def _judge(loop: ExpertLoop, visit: Visit) -> Iterator[Suspicion]:
    for gate in transposed_gates(loop, _reader(visit.project)):
        yield _suspicion(gate, loop)


def _suspicion(gate: Gate, loop: ExpertLoop) -> Suspicion:
    turn = gate.axes.turns[-1]
    location = turn.function.module.location(turn.node)
    return Suspicion(
        rule=CODE,
        location=location,
        symbol=turn.function.symbol,
        message=(
            f"{text_of(turn.node)} reorders all of the gate's {gate.axes.rank} dimensions to "
            f"pair it with {text_of(loop.experts)}: batch and time trade places."
        ),
        details={
            "gate": text_of(turn.base),
            "transposed": text_of(turn.node),
            "spelling": turn.spelling,
            "rank": gate.axes.rank,
            "rank_known": gate.axes.sure,
            "expert_axis": gate.axes.experts,
            "experts": text_of(loop.experts),
            "weight": gate.weight,
            "use": gate.use,
            "loop_line": loop.node.lineno,
        },
        extent=(location.line, location.end_line),
    )


def read_shapes(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict a transpose by a crash in its function, or by rows that influence each other."""
    if not isinstance(measurement, Shapes):
        return
    crashed = [one for one in measurement.cases if one.crash and _is_mismatch(one.crash)]
    warned = {(one.path, one.symbol) for one in measurement.transpose_warnings}
    yield from _by_warning(measurement, crashed)
    for case in crashed:
        crash = case.crash
        if crash and crash.path and (crash.path, crash.symbol) not in warned:
            # The gate may be turned in another method of the class than the one that fails.
            owner = crash.symbol.rpartition(".")[0] or crash.symbol
            yield _conviction(
                Place(path=crash.path, symbol=owner),
                _crash_values(case),
                f"The forward pass fails here at {_sizes(case)}: {crash.message}",
                alone=False,
            )
            break
    leak = measurement.row_influence or 0.0
    if all(one.outcome == "ok" for one in measurement.cases) and leak < LEAST_INFLUENCE:
        yield Conviction(
            rule=CODE,
            status=Status.REFUTED,
            probe=PROBE,
            place=None,
            message="Every batch size and length gives logits of the right shape.",
            values={"cases": len(measurement.cases), "row_influence": measurement.row_influence},
        )


def _by_warning(measurement: Shapes, crashed: list[ShapeCase]) -> Iterator[Conviction]:
    """A warning of torch's that `.T` reverses all dimensions convicts where harm came of it."""
    leak = measurement.row_influence
    wrong = [one for one in measurement.cases if one.outcome == "wrong-shape"]
    for warning in measurement.transpose_warnings:
        here = (warning.path, warning.symbol)
        failed = [one for one in crashed if one.crash and _at(one.crash) == here]
        values: dict[str, Value] = {"dimensions": warning.dimensions, "row_influence": leak}
        if failed:
            values |= _crash_values(failed[0])
        elif wrong:
            values |= {"case": _sizes(wrong[0]), "logits_shape": wrong[0].logits_shape}
        elif leak is None or leak <= LEAST_INFLUENCE:
            continue
        told = f"fails at {_sizes(failed[0])}" if failed else "mixes the rows of a batch"
        turned = warning.dimensions or "more than two"
        # Rows may mix for another reason: then `.T` alone says too little, unless it is the only.
        single = len(measurement.transpose_warnings) == 1 and not wrong
        yield _conviction(
            Place(path=warning.path, symbol=warning.symbol, line=warning.line),
            values,
            f".T reverses a tensor of {turned} dimensions, and the model {told}.",
            alone=bool(failed) or single,
        )


def _at(crash: Crash) -> tuple[str | None, str]:
    return crash.path, crash.symbol


def _conviction(place: Place, values: dict[str, Value], message: str, *, alone: bool) -> Conviction:
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=place,
        message=message,
        values=values,
        alone=alone,
    )


def _crash_values(case: ShapeCase) -> dict[str, Value]:
    crash = case.crash
    return {
        "case": _sizes(case),
        "error": f"{crash.kind}: {crash.message}" if crash else "",
        "shapes": crash.shapes if crash else (),
    }


def _sizes(case: ShapeCase) -> str:
    return f"B={case.batch} T={case.length}"


def _is_mismatch(crash: Crash) -> bool:
    return crash.path is not None and crash.is_mismatch


def _test(values: Mapping[str, Value]) -> str:
    """A call at sizes that differ where that crashes; else rows that must not meet."""
    case = re.fullmatch(r"B=(\d+) T=(\d+)", str(values.get("case", "")))
    if case is not None:
        batch, length = case.groups()
        return (
            f"found = logits(build(), random_ids(batch={batch}, length={length}))\n"
            f"assert found.shape == ({batch}, {length}, V), tuple(found.shape)\n"
        )
    return (
        "model = build().eval()\n"
        'inputs = {"ids": random_ids(0, 5, 5)}\n'
        'others = {"ids": random_ids(1, 5, 5)}\n'
        "influence = row_influence(\n"
        '    lambda given: logits(model, given["ids"]), inputs, others, {"ids": 0}\n'
        ")\n"
        "assert influence is not None\n"
        f"assert influence <= {LEAST_INFLUENCE}, "
        'f"other rows move the logits of row 0 by {influence:.2g} of the largest"\n'
    )


SICK = """\
import torch
from torch import nn


class SoftMixture(nn.Module):
    def __init__(self, width, experts=4):
        super().__init__()
        self.gate = nn.Linear(width, experts)
        self.experts = nn.ModuleList(nn.Linear(width, width) for _ in range(experts))

    def forward(self, x):
        batch, length, width = x.shape
        weights = self.gate(x).softmax(dim=-1)
        return sum(w.unsqueeze(-1) * expert(x) for w, expert in zip(weights.T, self.experts))
"""

DEFECT = Defect(
    code=CODE,
    name="transposed-gate",
    severity=Severity.HIGH,
    summary="A gate is transposed so that batch and time trade places.",
    explanation=(
        "A gate of shape (batch, time, experts) is turned around to bring the experts to the "
        "front, by .T, transpose, permute or the like, and is then walked through together with "
        "the experts; but the other two dimensions change their order too, or the experts do not "
        "come first. So is a gate in which batch and time were swapped, and which is multiplied "
        "with values of the same input in which they were not. A gate of two dimensions, "
        "permute(2, 0, 1), movedim(-1, 0) and unbind(-1) are right."
    ),
    harm=(
        "The model fails where batch size and length differ. Where they are equal, or one of them "
        "is 1, it runs and weighs one sample's experts by the gate of another sample."
    ),
    confirmed_by=(
        "The probe shapes runs the model with batch sizes and lengths that are all different, then "
        "equal, then one. A size mismatch in this function, or logits of one row that move by "
        "more than 1e-5 when only other rows change, confirm it; right shapes throughout refute it."
    ),
    sick=SICK,
    healed=SICK.replace("weights.T", "weights.unbind(dim=-1)"),
    suspects={
        ast.For: see_loop,
        ast.ListComp: see_loop,
        ast.GeneratorExp: see_loop,
        ast.SetComp: see_loop,
        ast.Lambda: see_lambda,
        calls(*SWAPPING): see_product,
    },
    convicts={PROBE: read_shapes},
    proof=Proof(measures=("probes.shapes:row_influence",), test=_test),
    fix=FixPromise(
        applicability=Applicability.SAFE,
        title="Bring the expert dimension to the front and leave the others in order",
        safety=(
            "Safe where a run shows that shapes do not fit or rows mix: the values for each expert "
            "stay the same. A guess where nothing was measured, because the gate may have two "
            "dimensions only."
        ),
        order=1,
    ),
    explains=("GD801", "GD802"),
)
