"""GD701: what optional inputs leave behind is averaged or joined though it may be nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.empty_inputs import EmptyCall, EmptyInputs
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.repairs import Applicability, FixPromise
from gptdoctor.defect import Defect, Proof, Visit
from gptdoctor.source.absent_inputs import Emptiness, assert_before, failures_without_inputs
from gptdoctor.source.classes import FUNCTIONS, parameters
from gptdoctor.source.empty_lists import may_mind_an_empty_list
from gptdoctor.source.flow_functions import functions_of
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import every_node

CODE = "GD701"
PROBE = "empty-inputs"
# Of these messages no other cause than an empty list is known.
EMPTY_LIST = (
    "non-empty",  # torch.cat, torch.stack: "expected a non-empty list of Tensors"
    "at least one array",  # numpy.stack, numpy.concatenate
    "empty iterable",  # functools.reduce, max, min
    "empty sequence",
    "list index out of range",
    "pop from empty",
)
# Words by which an error speaks of inputs without naming one.
INPUT_WORDS = ("input", "argument", "modality", "at least one", "must be given")
# What Python says itself when a call lacks an argument: clear enough for anyone.
MISSING_ARGUMENT = "required positional argument"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, FUNCTIONS):
        return
    if not may_mind_an_empty_list(node, visit.module):
        return
    owner = visit.owner
    if owner is not None and not visit.project.is_network(owner):
        return
    function = functions_of(visit.project, visit.module).get(node)
    found = failures_without_inputs(visit.project, function) if function else []
    if not found or (owner is None and not _called_by_network(visit, node.name)):
        return
    for failure in found:
        if failure.function.module is visit.module:
            yield _suspicion(visit.module, failure)


def _called_by_network(visit: Visit, name: str) -> bool:
    """Whether a network of this module calls the function `name`."""
    names = visit.module.names
    return any(
        names.called(node) == name
        for info in visit.project.classes(visit.module).values()
        if visit.project.is_network(info)
        for node in every_node(info.node)
    )


def _suspicion(module: SourceModule, failure: Emptiness) -> Suspicion:
    node = failure.node
    emptied = ast.unparse(failure.emptied)
    inputs = _in_order(failure)
    guard = assert_before(failure, _container(failure.emptied))
    return Suspicion(
        rule=CODE,
        location=module.location(guard or node),
        symbol=failure.function.symbol,
        message=(
            f"with none of {', '.join(inputs)} given, `{emptied}` holds nothing and "
            f"`{ast.unparse(node)}` fails with an error that names no input"
        ),
        details={
            "list": _container(failure.emptied),
            "emptied": emptied,
            "inputs": inputs,
            "operation": _operation(node),
            **({} if guard is None else {"operation_line": node.lineno}),
        },
        extent=((guard or node).lineno, node.end_lineno or node.lineno),
    )


def _in_order(failure: Emptiness) -> tuple[str, ...]:
    """The inputs in the order of the function's parameters; those of a caller come last."""
    order = [one.arg for one in parameters(failure.function.node)]
    known = [name for name in order if name in failure.inputs]
    return (*known, *(name for name in failure.inputs if name not in known))


def _container(emptied: ast.expr) -> str | None:
    """The name of the list in `parts`, `len(parts)`, `tuple(parts)`."""
    names = [one.id for one in every_node(emptied) if isinstance(one, ast.Name)]
    own = [name for name in names if name not in ("len", "list", "tuple", "iter", "sum")]
    return own[0] if own else None


def _operation(node: ast.expr) -> str:
    if isinstance(node, ast.BinOp):
        return "division"
    if isinstance(node, ast.Call):
        function = node.func
        return function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
    return "index"


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if isinstance(measurement, EmptyInputs):
        for call in measurement.calls:
            yield from _of_call(call)


def _of_call(call: EmptyCall) -> Iterator[Conviction]:
    at_function = Place(path=call.path, symbol=call.symbol)
    if call.outcome == "returned":
        nothing = call.returned in ("int", "float")  # sum([]) is 0
        status = Status.CONFIRMED if nothing else Status.REFUTED
        yield _conviction(call, status, at_function, alone=nothing)
    elif call.crash is not None and call.crash.path is not None:
        crash = call.crash
        if crash.raised_there or MISSING_ARGUMENT in crash.message:
            if _is_clear(crash, call.inputs):
                yield _conviction(call, Status.REFUTED, at_function)
        elif _is_obscure(crash):
            # An assert stands before the line that would fail: the function decides.
            asserted = _asserts_an_input(crash, call.inputs)
            line = None if crash.kind == "AssertionError" and not asserted else crash.line
            place = Place(path=crash.path or call.path, symbol=crash.symbol, line=line)
            alone = asserted or _shows_empty_list(crash)
            yield _conviction(call, Status.CONFIRMED, place, alone=alone)


def _is_clear(crash: Crash, inputs: tuple[str, ...]) -> bool:
    """Whether an error that the code raises itself names an input, or speaks of inputs."""
    return any(word in crash.message for word in (*inputs, *INPUT_WORDS))


def _is_obscure(crash: Crash) -> bool:
    """Whether an error is one that code meets when it counts on a thing that is not there."""
    kinds = ("ZeroDivisionError", "AssertionError", "IndexError", "TypeError")
    return crash.kind in kinds or _shows_empty_list(crash)


def _asserts_an_input(crash: Crash, inputs: tuple[str, ...]) -> bool:
    """Whether an assert, which python -O removes, is all that asks for one of several inputs."""
    asked = [name for name in inputs if re.search(rf"\b{name} is ", crash.statement)]
    return crash.kind == "AssertionError" and len(asked) > 1


def _shows_empty_list(crash: Crash) -> bool:
    """Whether the error can only come from an empty list.

    Other obscure errors may come from an input that is needed in any case.
    """
    return crash.kind == "ZeroDivisionError" or any(text in crash.message for text in EMPTY_LIST)


def _conviction(call: EmptyCall, status: Status, place: Place, *, alone: bool = True) -> Conviction:
    name = f"`{call.symbol}`"
    if call.crash is not None:
        told = f"raises {call.crash.kind}: {call.crash.message}"
    else:
        told = f"returns a {call.returned}"
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=place,
        message=f"{name}, called with none of {', '.join(call.inputs)}, {told}",
        values={
            "inputs": call.inputs,
            "outcome": call.outcome,
            "returned": call.returned or None,
            "error": f"{call.crash.kind}: {call.crash.message}" if call.crash else None,
            "call": call.call,
        },
        alone=alone,
    )


def _test(values: Mapping[str, Value]) -> str:
    """The call with nothing: an error that names an input, or a tensor."""
    words = [*values["inputs"], *INPUT_WORDS]  # type: ignore[misc]
    return f"""\
words = "{"|".join(map(str, words))}"
model = build().eval()
try:
    found = {values["call"]}
except AssertionError:
    raise  # python -O removes an assert
except Exception as error:
    assert any(word in str(error) for word in words.split("|")), f"given nothing: {{error!r}}"
else:
    assert not isinstance(found, (int, float)), f"given nothing, it returns {{found}}"
"""


SICK = """\
import torch.nn as nn


class Encoder(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.image = nn.Linear(8, dim)
        self.audio = nn.Linear(8, dim)

    def forward(self, image=None, audio=None):
        parts = []
        if image is not None:
            parts.append(self.image(image))
        if audio is not None:
            parts.append(self.audio(audio))
        return sum(parts) / len(parts)  # 0 / 0 when both are None
"""

BAD = """\
        return sum(parts) / len(parts)  # 0 / 0 when both are None
"""
GOOD = """\
        if not parts:
            raise ValueError("give at least one of image and audio")
        return sum(parts) / len(parts)
"""
HEALED = SICK.replace(BAD, GOOD)

DEFECT = Defect(
    code=CODE,
    name="empty-input-unguarded",
    severity=Severity.LOW,
    summary="A list that only optional inputs fill is averaged, joined or indexed unasked.",
    explanation=(
        "With every optional input left out the list stays empty, and a division by its length, "
        "cat, stack, reduce, max or [0] fails far from the cause. An assert is no guard: Python "
        "removes it with -O. Not meant: lists that something fills in any case, and functions "
        "that raise or return before."
    ),
    harm=(
        "Whoever forgets an input, or has none for a sample, gets a ZeroDivisionError or an error "
        "of torch's in place of a word about what is missing."
    ),
    confirmed_by=(
        "The probe empty-inputs calls each module whose inputs are all optional with nothing. An "
        "obscure error, or a bare number in place of a tensor, confirms; a clear error or a "
        "tensor refutes."
    ),
    sick=SICK,
    healed=HEALED,
    suspects={ast.FunctionDef: _suspect, ast.AsyncFunctionDef: _suspect},
    convicts={PROBE: _convict},
    fix=FixPromise(
        applicability=Applicability.SAFE,
        title="Raise a ValueError that names the inputs before the list is used",
        safety=(
            "Safe where the call was shown to fail: it fails as before, with a clear error. Where "
            "nothing was measured, that no caller counts on the old error is a guess."
        ),
        order=3,
    ),
    proof=Proof(test=_test),
)
