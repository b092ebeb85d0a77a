"""GD807: a call in evaluation leaves something behind that moves the next one."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.information import SEEDS, place_of
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.repeated_calls import KeptState, RepeatedCalls
from gptdoctor.defect import Defect, Named, Proof, Visit, calls
from gptdoctor.source.carried_states import carried_states
from gptdoctor.source.flow_functions import functions_of
from gptdoctor.source.grown_states import growth, is_left_over
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.written_attributes import may_leave

CODE = "GD807"
PROBE = "repeated-calls"


def see_joined(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """What forward joins to a state of the module, and leaves there at each call."""
    method, owner = visit.function, visit.owner
    if method is None or owner is None or method.name != "forward":
        return
    function = visit.flow
    if not isinstance(node, ast.Call) or function is None:
        return
    found = growth(node, function)
    if found is None or not visit.project.is_network(owner):
        return
    if is_left_over(found, function, owner, visit.project):
        told = (
            f"`self.{found.attribute}` grows with each call and nothing puts it back: the next "
            "text is read behind this one"
        )
        yield suspicion(CODE, found.statement, function, told)


def see_forward(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A state that is read, and set from what was given, at each call."""
    if not isinstance(node, ast.FunctionDef) or not may_leave(node):
        return
    owner = visit.owner
    if owner is None or visit.parent is not owner.node:
        return
    function = functions_of(visit.project, visit.module)[node]
    for found in carried_states(visit.project, function):
        if visit.project.is_network(owner):
            told = (
                f"`self.{found.attribute}` is left as this call has set it, in evaluation too, and "
                "nothing puts it back: the next call begins with what this text was"
            )
            yield suspicion(CODE, found.node, function, told)


def read_calls(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict f(x), f(y), f(x) that differ with all seeds; refute where they are equal."""
    if not isinstance(measurement, RepeatedCalls):
        return
    least = measurement.least_change
    if measurement.after_another_call <= least:
        yield Conviction(
            rule=CODE,
            status=Status.REFUTED,
            probe=PROBE,
            place=None,
            message="A call gives the same before and after another one.",
            values={"after_another_call": measurement.after_another_call},
        )
    elif measurement.with_equal_numbers <= least and measurement.seeds_changing == SEEDS:
        if measurement.resets:
            return  # a state that can be reset is meant to be kept
        state = next((one for one in measurement.states if one.place is not None), None)
        yield Conviction(
            rule=CODE,
            status=Status.CONFIRMED,
            probe=PROBE,
            place=place_of(state.place if state else None, record.target),
            message=_message(measurement.states),
            values={
                "after_another_call": measurement.after_another_call,
                "states": tuple(map(_name, measurement.states)),
            },
        )


def _message(states: tuple[KeptState, ...]) -> str:
    what = f" through {', '.join(map(_name, states[:3]))}" if states else ""
    return f"A call in evaluation moves the outputs of the next one{what}."


def _name(state: KeptState) -> str:
    return f"{state.module}.{state.name}".lstrip(".")


def _test(values: Mapping[str, Value]) -> str:
    """The same text before and after another one."""
    return """\
model = jitter(build().eval(), 0.1, seed=0)  # so that no gate is shut
with torch.no_grad():
    first = logits(model, random_ids(0))
    logits(model, random_ids(1))
    again = logits(model, random_ids(0))
change = relative_change(first, again)
assert change <= 1e-5, f"another text in between moves the logits by {change:.2g} of the largest"
"""


SICK = """\
import torch
from torch import nn
from torch.nn import functional as F


class BroodingReader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.memory = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab_size)
        self.register_buffer("past", torch.zeros(1, width))

    def forward(self, ids, targets):
        x, last = self.memory(self.embedding(ids))
        y = self.head(x + self.past.mean(dim=0))
        self.past = torch.cat([self.past, last.detach()[0]])
        return y, F.cross_entropy(y.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="state-left-over",
    severity=Severity.HIGH,
    summary="A call in evaluation leaves a state behind that moves the next call.",
    explanation=(
        "The forward pass writes to an attribute, a buffer or a list of the model, and reads it in "
        "the next call: what a recurrent layer ended with, statistics that are moved in evaluation "
        "too, what was read so far. Tables that are built at the first call and do not change the "
        "result are not meant, nor what is written in training alone, nor caches and states that "
        "the model promises to reset by a method (`reset_cache`, `init_hidden`, `setup_caches`) or "
        "begins anew in each call."
    ),
    harm=(
        "What the model says of a text depends on the texts before it: evaluations cannot be "
        "repeated, one user's text reaches another's answer, and in training the graph of an "
        "earlier batch may be kept."
    ),
    confirmed_by=(
        "The probe repeated-calls asks f(x), f(y) and f(x) of one copy in evaluation, with equal "
        "random numbers. A difference above 1e-5 of the largest output with three seeds "
        "confirms it, and putting back what f(y) wrote shows which state it was."
    ),
    sick=SICK,
    healed=SICK.replace("        self.past = torch.cat([self.past, last.detach()[0]])\n", ""),
    suspects={
        calls("cat", "concat", "hstack", "vstack"): see_joined,
        Named(ast.FunctionDef, ("forward",)): see_forward,
    },
    convicts={PROBE: read_calls},
    proof=Proof(
        measures=("probes.instruments.steady:relative_change", "probes.instruments.weights:jitter"),
        test=_test,
    ),
)
