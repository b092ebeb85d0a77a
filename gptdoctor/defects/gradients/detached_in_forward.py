"""GD102: the data leaves the graph on its way, and parameters behind it cannot learn."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.gradient_flow import GradientFlow, LostGradient
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.routed_experts import RoutedExperts
from gptdoctor.defect import Defect, Proof, Visit, attributes, calls
from gptdoctor.source.cut_values import LEAVING, TAKING, cut_value
from gptdoctor.source.flow_cuts import cuts_in
from gptdoctor.source.flow_functions import functions_of
from gptdoctor.source.flow_gradients import gradients_of
from gptdoctor.source.flow_training import is_off_limits
from gptdoctor.source.lost_gradients import (
    MEASURE,
    dark_rows_test,
    enumerated,
    lost_gradients_test,
    made_deeper,
)
from gptdoctor.source.names import called_name
from gptdoctor.source.stopped_gradients import (
    INTENT,
    STOPPING,
    is_on_purpose,
    is_switched_off,
    is_trained,
)

CODE = "GD102"
PROBE = "gradient-flow"
# Gradients that are switched off for a whole function or block are GD101's.
SWITCHED = "no_grad"
# Networks that follow another one by hand: a moving average, a teacher, a target.
FOLLOWERS = re.compile(
    r"(^|[._])(ema|teacher|target|momentum|shadow|key_encoder|encoder_k|reference|ref|frozen|old)"
    r"(_?(net\w*|model|encoder|decoder|head|body|backbone|params?))?(\.|_?\d|$)",
    re.I,
)
CHOICES = frozenset({"topk", "argmax", "argmin", "sort", "argsort", "max", "min", "multinomial"})
COMPARISONS = frozenset({"gt", "lt", "ge", "le", "eq", "ne", "__bool__", "is_nonzero", "isclose"})
CASTS = frozenset({"long", "int", "short", "bool", "byte", "to", "type", "type_as", "char"})
WORDS = {
    "data": "`.data`",
    "__float__": "`float()`",
    "__int__": "`int()`",
    "__index__": "the use as an index",
    "__array__": "the way through NumPy",
    "numpy": "the way through NumPy",
    "tensor": "`torch.tensor()`",
    "__floordiv__": "`//`",
    "reentrant checkpoint": "a reentrant checkpoint, none of whose inputs asks for a gradient,",
}


def see_cut(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A value that leaves the graph in forward, and takes all that a layer made with it."""
    value = cut_value(node)
    if value is None or not isinstance(node, ast.expr):
        return  # as `x.float()`
    method, owner = visit.function, visit.owner
    if method is None or owner is None or not is_trained(method, owner):
        return
    function = functions_of(visit.project, visit.module)[method]
    cuts = cuts_in(function, gradients_of(visit.project))
    lost = tuple(f"self.{one}" for one in cuts.lost(value) if not FOLLOWERS.search(f"self.{one}"))
    # Whether this is a network may have to be looked up in other files: asked where it matters.
    if (
        not lost
        or not visit.project.is_network(owner)
        or is_on_purpose(node, value, visit.parent, visit.module)
        or is_off_limits(function, node)
    ):
        return
    if is_switched_off(function, visit.parents) or not cuts.matters(node):
        return
    location = visit.module.location(node)
    operation = _operation(node)
    yield Suspicion(
        rule=CODE,
        location=location,
        symbol=visit.symbol,
        message=(
            f"{words_of(operation)} takes what {enumerated(lost)} made off the graph, and nothing "
            f"else is done with it: no gradient comes back."
        ),
        details={"operation": operation, "lost": lost},
        extent=(location.line, location.end_line),
    )


def _operation(node: ast.AST) -> str:
    """The name that a run gives to what takes a tensor off the graph."""
    if isinstance(node, ast.Attribute):
        return node.attr
    called = called_name(node) if isinstance(node, ast.Call) else ""
    return "__float__" if called == "float" else called


def words_of(operation: str) -> str:
    """An operation as a reader knows it: "`.item()`", "the indices of topk", "a comparison"."""
    if operation in WORDS:
        return WORDS[operation]
    if operation in COMPARISONS:
        return "a comparison"
    if operation in CHOICES:
        return f"the choice by {operation}"
    if operation in CASTS:
        return "the cast to whole numbers"
    return f"`{operation.strip('_')}()`"


def is_meant(lost: LostGradient) -> bool:
    """Whether these parameters are not to learn by gradient, as far as anyone can tell."""
    names = lost.parameters
    if INTENT.search(lost.code) or STOPPING.search(lost.symbol):
        return True
    if lost.twin or lost.written or all(FOLLOWERS.search(name) for name in names):
        return True  # it follows another network, or is moved by hand
    # Balancing without an auxiliary loss: a bias that only takes part in the choice of experts.
    only_biases = all("bias" in name.rpartition(".")[2] for name in names)
    return only_biases and lost.operation in CHOICES


def deaf_routers(record: ModelRecord) -> frozenset[str]:
    """The parameters of routers, in any layer, that get no gradient from the logits.

    To choose experts is what they are for: that their choice is all that is left of them is told
    by the rules of routing.
    """
    blocks = (
        block
        for one in record.told(RoutedExperts)
        for block in one.blocks
        if block.router_gradient is not None and not block.router_learns
    )
    return frozenset(_in_any_layer(name) for block in blocks for name in block.router_parameters)


def _in_any_layer(parameter: str) -> str:
    """A parameter's name without its layer: of blocks that share their code one is measured."""
    return re.sub(r"\.\d+\.", ".*.", parameter)


def read_flow(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict the lines at which parameters that act on the loss lose their last path to it."""
    if not isinstance(measurement, GradientFlow) or measurement.crash is not None:
        return
    routers = deaf_routers(record)
    for lost in measurement.lost:
        known = lost.acts and lost.path and lost.operation != SWITCHED
        names = (_in_any_layer(name) for name in lost.parameters)
        routed = lost.operation in CHOICES | COMPARISONS and routers.issuperset(names)
        if known and not routed and not is_meant(lost):
            yield Conviction(
                rule=CODE,
                status=Status.CONFIRMED,
                probe=PROBE,
                place=Place(path=lost.path, symbol=lost.symbol, line=lost.line),
                message=(
                    f"The gradient ends here: {words_of(lost.operation)} takes what {_part(lost)}"
                    f"{enumerated(lost.parameters)} made off the graph, and the model goes on "
                    f"with {'a plain value of Python' if lost.through_python else 'it'}."
                ),
                values=_values(lost, measurement),
            )


def _part(lost: LostGradient) -> str:
    return "" if lost.share == 1.0 else f"{lost.share:.0%} of "


def _values(lost: LostGradient, measurement: GradientFlow) -> dict[str, Value]:
    return {
        "operation": lost.operation,
        "objective": measurement.objective,
        "parameters_lost": len(lost.parameters),
        "parameters_lost_names": lost.parameters,
        "parameters": lost.of_parameters or len(measurement.parameters),
        "trail_from": lost.trail_from,
        "trail": lost.trail,
        "share": lost.share,
        **({"build": lost.build} if lost.build else {}),
    }


def _test(values: Mapping[str, Value]) -> str:
    """The parameters that got no gradient, by name; a wrong gradient has no short test."""
    names, share = values.get("parameters_lost_names"), values.get("share")
    if isinstance(share, float) and share < 1.0:
        return made_deeper(dark_rows_test(names, share), values)
    return made_deeper(lost_gradients_test(names), values)


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Scaled(nn.Module):
    def __init__(self, vocab=100, width=32):
        super().__init__()
        self.tokens = nn.Embedding(vocab, width)
        self.strength = nn.Linear(width, 1)
        self.head = nn.Linear(width, vocab)

    def forward(self, ids, targets):
        x = self.tokens(ids)
        strength = torch.tensor(self.strength(self.tokens.weight).mean().item())
        logits = self.head(x * strength)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="detached-in-forward",
    severity=Severity.CRITICAL,
    summary="The data leaves the graph in forward, and what lies before it cannot learn.",
    explanation=(
        "A value that parameters made is taken off the graph by detach, `.data`, `.item()`, "
        "`float()`, `torch.tensor()`, NumPy, a cast to whole numbers, rounding, or by going on "
        "with indices or comparisons instead of values, and no other way leads from those "
        "parameters to the loss. Straight-through estimators, targets with a stopped gradient, "
        "moving averages, metrics, masks and a balancing bias of a router are not meant. Where one "
        "weight makes several things, as queries, keys and values, each part is looked at."
    ),
    harm=(
        "The parameters act on the output and never change: they stay as random as they began, "
        "however long the training."
    ),
    confirmed_by=(
        "The probe gradient-flow finds parameters without a gradient, follows their data through "
        "one forward pass to the operation at which the last path ends, and moves them: a loss "
        "that changes confirms it, for then they act and cannot learn. Where the loss stays, the "
        "value only feeds a log, and nothing is reported."
    ),
    sick=SICK,
    healed=SICK.replace("torch.tensor(", "").replace(".mean().item())", ".mean()"),
    suspects={calls(*LEAVING, *TAKING): see_cut, attributes("data"): see_cut},
    convicts={PROBE: read_flow},
    explains=("GD204", "GD606", "GD903"),
    proof=Proof(measures=(MEASURE,), test=_test),
)
