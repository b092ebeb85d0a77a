"""GD108: a part of a gradient is stopped, and nothing says that it is meant."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.gradient_flow import (
    GradientCut,
    GradientFlow,
    LearntNumber,
)
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.cut_values import Onward
from gptdoctor.source.flow_cuts import cuts_in
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_gradients import gradients_of
from gptdoctor.source.flow_sources import learned
from gptdoctor.source.flow_training import Training, is_off_limits
from gptdoctor.source.lost_gradients import enumerated, made_deeper
from gptdoctor.source.rewrapped import COPYING, TAKING, is_asked, rewrapped
from gptdoctor.source.stopped_gradients import is_on_purpose, is_switched_off, is_trained

CODE = "GD108"
PROBE = "gradient-flow"
# Two runs in float32 differ by up to 3.3e-7 of the largest value; a path that is missing changes
# its parameter by far more.
LEAST_CHANGE = 1e-5
# Any word about gradients at the line says that the author thought of them.
INTENT = re.compile(
    r"#.*\b(froz\w+|freez\w+|stop\w*|grad\w*|detach\w*|trunc\w*|bptt|target|teacher)", re.I
)
NUMBERS = {"item": "`.item()`", "__float__": "`float()`"}
WORDS = {"detach": "detach stops", "tolist": "The way through lists or arrays loses"}
# So does the name of a function about them.
STOPPING = re.compile(r"(^|[._])(sg|\w*grad(s|ients?)?(_\w+)?|detach\w*|freeze\w*)$", re.I)
# State of an earlier step or segment: its graph is let go by design.
STATE = re.compile(
    r"\b\w*(memory|memories|mems?|cache\w*|carry|past\w*|prev\w*|last\w*|state|kv|history|target|"
    r"teacher|ema)\b",
    re.I,
)


def see_rewrapped(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A tensor that is made of another one's numbers, beside other ways of its gradient.

    A detach may be meant: of that a run tells what it costs.
    """
    method, owner = visit.function, visit.owner
    if method is None or owner is None or not is_trained(method, owner):
        return
    function = functions_of(visit.project, visit.module)[method]
    value = rewrapped(node, function)
    if value is None or not isinstance(node, ast.Call):
        return
    gradients = gradients_of(visit.project)
    training = Training(visit.project, gradients, visit.asked_models)
    reached = learned(training.own_origins(gradients.of(value, function), function))
    # Where nothing of it learns by another way, the cut is GD102's.
    if not reached or _is_said(node, function) or cuts_in(function, gradients).lost(value):
        return
    if not visit.project.is_network(owner) or is_off_limits(function, node):
        return
    if is_asked(visit.parents) or is_on_purpose(node, value, visit.parent, visit.module):
        return
    if is_switched_off(function, visit.parents) or not Onward(function, gradients).matters(node):
        return
    location = visit.module.location(node)
    yield Suspicion(
        rule=CODE,
        location=location,
        symbol=visit.symbol,
        message=(
            f"`{ast.unparse(node)}` copies numbers and no graph: by this way no gradient comes "
            f"back to {enumerated(tuple(reached))}."
        ),
        details={"reaches": tuple(reached)},
        extent=(location.line, location.end_line),
    )


def _is_said(node: ast.Call, function: Function) -> bool:
    """Whether the line speaks of states of earlier steps, or its comment of gradients."""
    lines = function.module.lines[max(node.lineno - 3, 0) : node.end_lineno]
    state = any(map(STATE.search, lines[-1:]))
    return state or any(map(INTENT.search, lines))


def read_flow(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict a cut in the middle of the data's way, without which gradients change."""
    if not isinstance(measurement, GradientFlow) or measurement.crash is not None:
        return
    for cut in measurement.cuts:
        if _is_partial(cut) and not _is_meant(cut):
            yield Conviction(
                rule=CODE,
                status=Status.CONFIRMED,
                probe=PROBE,
                place=Place(path=cut.path, symbol=cut.symbol, line=cut.line),
                message=(
                    f"{WORDS[cut.operation]} a part of the gradient on its way: "
                    f"{cut.parameters_changed} parameters learn from the rest of it alone."
                ),
                values={
                    "operation": cut.operation,
                    "objective": measurement.objective,
                    "parameters_changed": cut.parameters_changed,
                    "parameters": cut.of_parameters or len(measurement.parameters),
                    "largest_relative_change": cut.largest_change,
                    "code": cut.code.splitlines()[-1].strip() if cut.code else "",
                    **({"build": cut.build} if cut.build else {}),
                },
            )
    for one in measurement.numbers:
        if not any((INTENT.search(one.code), STOPPING.search(one.symbol), STATE.search(one.code))):
            yield _number(one, measurement)


def _number(one: LearntNumber, measurement: GradientFlow) -> Conviction:
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=Place(path=one.path, symbol=one.symbol, line=one.line),
        message=(
            f"{NUMBERS[one.operation]} makes a plain number of {one.parameter}, which learns from "
            "the rest of its uses alone."
        ),
        values={
            "operation": one.operation,
            "objective": measurement.objective,
            "parameter": one.parameter,
            "loss_slope": one.slope,
            "code": one.code.splitlines()[-1].strip() if one.code else "",
        },
    )


def _is_partial(cut: GradientCut) -> bool:
    changes = cut.parameters_changed and cut.largest_change > LEAST_CHANGE
    plain = cut.operation in WORDS and cut.use == ""
    return bool(cut.measured and changes and not cut.parameters_gained and plain)


def _is_meant(cut: GradientCut) -> bool:
    return any(
        (INTENT.search(cut.code), STOPPING.search(cut.symbol), STATE.search(cut.code)),
    )


# What a test needs where a tensor becomes a list or an array, and that a tensor again: statements
# before the class, a part of it, and what is opened around the run.
_ROUND_TRIP = (
    """\
from unittest import mock
left = {}  # the tensor behind each list or array

""",
    """\
        name = getattr(func, "__name__", "")
        if name in ("numpy", "tolist") and args[0].requires_grad:
            made = func(args[0].detach(), *args[1:], **(kwargs or {}))
            left[id(made)] = args[0], made
            return made
        if name in ("as_tensor", "tensor") and id(args[0]) in left:
            return left[id(args[0])][0]
""",
    # Such a class does not see `from_numpy`.
    'mock.patch.object(torch, "from_numpy", torch.as_tensor), ',
)


def _number_test(code: str, operation: str) -> str:
    """The loss with the number of that very line a little larger, and a little smaller."""
    return f"""\
class Moved(torch.overrides.TorchFunctionMode):
    def __init__(self, by):
        super().__init__()
        self.by = by

    def __torch_function__(self, func, types, args=(), kwargs=None):
        code = inspect.getframeinfo(sys._getframe(1)).code_context or [""]
        result = func(*args, **(kwargs or {{}}))
        number = getattr(func, "__name__", "") == {operation!r} and args[0].requires_grad
        here = number and code[0].strip() == {code!r}
        return result * (1 + self.by) if here else result

def moved(by):
    model = jitter(build(), 0.02, seed=0)
    with Moved(by):
        found = loss(model, random_ids())
    return found.item()

slope = (moved(0.1) - moved(-0.1)) / 0.2
assert abs(slope) < {LEAST_CHANGE}, f"the loss moves by {{slope:.2g}} with what no gradient reaches"
"""


def _test(values: Mapping[str, Value]) -> str:
    """The gradients as they are, and with the detach of that very line undone."""
    code = str(values.get("code") or "")
    if not code:
        return ""
    if values.get("operation") in NUMBERS:
        return _number_test(code, str(values["operation"]))
    by_array = values.get("operation") == "tolist" or "numpy" in code
    before, trip, opened = _ROUND_TRIP if by_array else ("", "", "")
    statements = f"""\
{before}class Undone(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        code = inspect.getframeinfo(sys._getframe(1)).code_context or [""]
        stops = func in (torch.Tensor.detach, torch.detach, torch.Tensor.data.__get__)
        here = stops and code[0].strip() == {code!r}
{trip}        return args[0] if here else func(*args, **(kwargs or {{}}))

def gradients(context):
    model = jitter(build(), 0.02, seed=0)  # gates that start at zero let nothing through
    with {opened}context:
        found = loss(model, random_ids())
    found.backward()
    return {{name: each.grad for name, each in model.named_parameters()}}

before, after = gradients(contextlib.nullcontext()), gradients(Undone())
found = gradient_difference(before, after, {LEAST_CHANGE})
assert not found.changed, f"{{found.changed}} parameters learn from a part of their gradient"
"""
    return made_deeper(statements, values)


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Residual(nn.Module):
    def __init__(self, vocab=100, width=32):
        super().__init__()
        self.tokens = nn.Embedding(vocab, width)
        self.mix = nn.Linear(width, width)
        self.head = nn.Linear(width, vocab)

    def forward(self, ids, targets):
        x = self.tokens(ids)
        x = x + self.mix(torch.tensor(x.tolist())).relu()
        logits = self.head(x)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="partly-detached",
    severity=Severity.MEDIUM,
    summary="A detach, or a copy of a tensor's numbers, stops a part of the gradient.",
    explanation=(
        "A value on its way to the logits is detached, or made of a list or an array that a tensor "
        "became, and gradients reach what lies before it by other ways alone, such as a residual "
        "connection or a tied head; or a learnt scale is a tensor at one place, and a number of "
        "Python's at another. In text: `torch.tensor(x)`, or a list or an array of x that becomes "
        "a tensor again, while x goes on in another way as well; a plain detach may be meant, and "
        "only a run tells of it. Straight-through estimators, targets of "
        "a loss, statistics that scale, states of earlier segments, inputs of routers and of "
        "outputs beside the logits are not meant, nor is a line whose comment speaks of gradients."
    ),
    harm=(
        "What lies before the place learns, and not for what the place makes of it: training goes "
        "on, and ends at a worse model."
    ),
    confirmed_by=(
        "The probe gradient-flow runs forward and backward twice, once as written and once "
        "without this place: gradients that move by more than 1e-5 of their size confirm it; of a "
        "number of Python's, a loss that rises or falls evenly with it. If it is meant, a comment "
        "that says so settles it."
    ),
    sick=SICK,
    healed=SICK.replace("torch.tensor(x.tolist())", "x").replace("import torch\n", ""),
    suspects={calls(*sorted(COPYING | TAKING)): see_rewrapped},
    convicts={PROBE: read_flow},
    proof=Proof(
        measures=(
            "probes.instruments.counterfactuals:gradient_difference",
            "probes.instruments.weights:jitter",
        ),
        test=_test,
    ),
)
