"""GD105: a tensor is written over that backward still needs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.gradient_flow import GradientFlow, InPlaceWrite
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Named, Proof, Visit, calls
from gptdoctor.source.classes import FunctionNode, self_attribute
from gptdoctor.source.constructors import constructor_of
from gptdoctor.source.flow_attributes import PARAMETERS
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_gradients import gradients_of
from gptdoctor.source.flow_parameters import is_activation
from gptdoctor.source.flow_sources import arguments, learned
from gptdoctor.source.flow_switches import block_switch, decorator_switch
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.flow_training import INFERENCE_NAME, is_off_limits
from gptdoctor.source.forward_path import runs_in_forward
from gptdoctor.source.names import called_name
from gptdoctor.source.saved_inputs import SavedInputs, may_write, writes
from gptdoctor.source.saved_results import SAVING, writes_into

CODE = "GD105"
PROBE = "gradient-flow"
# How torch refuses a write into a parameter, at the very line.
LEAF = re.compile(r"leaf Variable that requires grad .*in-place operation")


def see_result(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The result of an operation that keeps it for backward, written into further down."""
    around = visit.parent
    if not isinstance(node, ast.Call) or not isinstance(around, ast.Assign):
        return
    target = around.targets[0]
    if around.value is not node or len(around.targets) != 1 or not isinstance(target, ast.Name):
        return
    method = visit.function
    if method is None or not _is_trained(method, visit):
        return
    function = functions_of(visit.project, visit.module)[method]
    found = sorted(writes_into(node, target, function), key=lambda one: getattr(one, "lineno", 0))
    # Whether this is a network may have to be looked up in other files: asked where it matters.
    if not found or not _is_of_network(visit) or not _has_gradient(node, visit):
        return
    write = found[0]
    if is_off_limits(function, write) or decorator_switch(function) or _switched_off(visit):
        return
    location = visit.module.location(write)
    yield Suspicion(
        rule=CODE,
        location=location,
        symbol=visit.symbol,
        message=(
            f"This writes over {target.id}, and the backward pass of {called_name(node)} needs its "
            f"result as it was: it ends with an error."
        ),
        details={"name": target.id, "needed_by": called_name(node), "needed_line": node.lineno},
        extent=(location.line, location.end_line),
    )


def see_forward(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The writes of a forward pass, and of the methods that it calls, into what layers need."""
    owner = visit.owner
    if owner is None or owner.methods.get("forward") is not node:
        return
    for method in owner.methods.values():
        other = isinstance(method, ast.AsyncFunctionDef) or method.name == "__init__"
        if other or not writes(method) or not _is_trained(method, visit):
            continue
        function = functions_of(visit.project, visit.module)[method]
        if not decorator_switch(function):
            saved = SavedInputs(function, gradients_of(visit.project))
            for statement, layer in saved.written_over():
                if _is_of_network(visit) and not is_off_limits(function, statement):
                    yield _judged(statement, layer, function, visit)


def _judged(
    node: ast.stmt, layer: ast.Call | ast.BinOp, function: Function, visit: Visit
) -> Suspicion:
    location = visit.module.location(node)
    called = text_of(layer.func if isinstance(layer, ast.Call) else layer)
    name = may_write(node)
    written = name.id if name is not None else ""
    return Suspicion(
        rule=CODE,
        location=location,
        symbol=function.symbol,
        message=(
            f"This writes into {written}, and the backward pass of {called} needs what it was "
            f"given as it was: it ends with an error."
        ),
        details={"name": written, "needed_by": called, "needed_line": layer.lineno},
        extent=(location.line, location.end_line),
    )


def see_update(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """`self.weight *= 0.5`, of a parameter that asks for a gradient."""
    name = self_attribute(node.target) if isinstance(node, ast.AugAssign) else None
    method, owner = visit.function, visit.owner
    if (
        name is None
        or method is None
        or owner is None
        or method.name not in ("__init__", "forward")
    ):
        return
    if owner.methods.get(method.name) is not method:
        return
    constructor = constructor_of(visit.project, owner)
    if constructor is None or not constructor.settled:
        return
    made = [one.value for one in constructor.settings if one.name == name]
    function = functions_of(visit.project, visit.module)[method]
    if len(made) != 1 or not _is_parameter(made[0], visit):
        return
    if decorator_switch(function) or _switched_off(visit):
        return
    location = visit.module.location(node)
    yield Suspicion(
        rule=CODE,
        location=location,
        symbol=visit.symbol,
        message=f"self.{name} is a parameter that asks for a gradient: torch refuses to write it.",
        details={"name": f"self.{name}"},
        extent=(location.line, location.end_line),
    )


def _is_parameter(value: ast.expr, visit: Visit) -> bool:
    qualified = visit.module.names.called(value) or ""
    known = qualified.startswith("torch.nn.") and qualified.rpartition(".")[2] in PARAMETERS
    return known and isinstance(value, ast.Call) and "requires_grad" not in text_of(value)


def _is_trained(method: FunctionNode, visit: Visit) -> bool:
    """Whether a method runs in its class's forward, and not only when it generates."""
    owner = visit.owner
    if owner is None or INFERENCE_NAME.search(method.name):
        return False
    return runs_in_forward(method, owner)


def _is_of_network(visit: Visit) -> bool:
    owner = visit.owner
    return owner is not None and visit.project.is_network(owner)


def _has_gradient(value: ast.expr, visit: Visit) -> bool:
    """Whether weights act on a value, or what a forward is given by other layers."""
    function = visit.flow
    if function is None:
        return False
    sources = gradients_of(visit.project).of(value, function)
    given = function.name == "forward" and any(map(is_activation, arguments(sources)))
    return bool(learned(sources)) or given


def _switched_off(visit: Visit) -> bool:
    """Whether a with block around the place switches gradients off."""
    function = visit.flow
    blocks = (one for one in visit.parents if isinstance(one, ast.With))
    return function is not None and any(block_switch(one, function) for one in blocks)


def read_flow(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict the write that made backward fail; where backward runs, no write did."""
    if not isinstance(measurement, GradientFlow):
        return
    crash, write = measurement.crash, measurement.in_place
    if crash is None:
        yield Conviction(
            rule=CODE,
            status=Status.REFUTED,
            probe=PROBE,
            place=None,
            message="Backward finds all that it needs as forward left it.",
            values={"objective": measurement.objective},
        )
    elif write is not None:
        yield _conviction(write, crash)
    else:
        yield from _refused(crash, PROBE)


def read_construction(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict the line at which torch refuses to write into a parameter."""
    if isinstance(measurement, Construction) and measurement.crash is not None:
        yield from _refused(measurement.crash, "construction")


def _conviction(write: InPlaceWrite, crash: Crash) -> Conviction:
    operation = _written(write.operation)
    kept = f", which line {write.needed_line} needs" if write.needed_line else ""
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=Place(path=write.path, symbol=write.symbol, line=write.line),
        message=(
            f"{operation} writes over a tensor that backward needs as it was{kept}: the backward "
            f"pass ends with an error."
        ),
        values={
            "operation": write.operation,
            "needed_line": write.needed_line,
            **_error(crash),
        },
    )


def _refused(crash: Crash, probe: str) -> Iterator[Conviction]:
    if LEAF.search(crash.message) and crash.path is not None and crash.line is not None:
        yield Conviction(
            rule=CODE,
            status=Status.CONFIRMED,
            probe=probe,
            place=Place(path=crash.path, symbol=crash.symbol, line=crash.line),
            message=(
                "A parameter that asks for a gradient is written over in place: torch refuses it."
            ),
            values=_error(crash),
        )


def _error(crash: Crash) -> dict[str, Value]:
    first = crash.message.strip().partition(" Hint:")[0].splitlines()[0]
    return {"stage": crash.stage, "error": f"{crash.kind}: {first}"}


def _written(operation: str) -> str:
    """The operation as the text has it: "an assignment to a part", "`add_`"."""
    return "The assignment" if operation == "__setitem__" else f"`{operation}`"


def _test(values: Mapping[str, Value]) -> str:
    """A step backward, which torch refuses today."""
    return "loss(build(), random_ids()).backward()\n"


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Gated(nn.Module):
    def __init__(self, vocab=100, width=32):
        super().__init__()
        self.tokens = nn.Embedding(vocab, width)
        self.gate = nn.Linear(width, width)
        self.head = nn.Linear(width, vocab)

    def forward(self, ids, targets):
        x = self.tokens(ids)
        gate = torch.sigmoid(self.gate(x))
        gate += 0.5
        logits = self.head(x * gate)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="in-place-breaks-backward",
    severity=Severity.CRITICAL,
    summary="A tensor is written over that backward still needs.",
    explanation=(
        "An operation that changes a tensor in place (`+=`, `add_`, `masked_fill_`, an assignment "
        "to a part of it, `inplace=True`) follows one whose derivative is computed from that very "
        "tensor, its result or what a layer with weights was given, or it changes a parameter "
        "itself. Writes into tensors that nothing before them needs again are right."
    ),
    harm="The backward pass ends with an error, which names neither the write nor its line.",
    confirmed_by=(
        "The probe gradient-flow sees backward fail, and runs forward once more with a watch over "
        "what torch keeps for backward and over all writes: the first write after which what was "
        "kept has another version is the place."
    ),
    sick=SICK,
    healed=SICK.replace("gate += 0.5", "gate = gate + 0.5"),
    suspects={
        calls(*SAVING): see_result,
        ast.AugAssign: see_update,
        Named(ast.FunctionDef, ("forward",)): see_forward,
    },
    convicts={PROBE: read_flow, "construction": read_construction},
    explains=("GD903",),
    proof=Proof(test=_test),
)
