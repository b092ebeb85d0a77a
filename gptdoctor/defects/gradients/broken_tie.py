"""GD107: the text ties two weights, and the model has two."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.parameter_registration import BrokenTie, ParameterRegistration
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Named, Proof, Visit
from gptdoctor.source.constructors import constructor_at
from gptdoctor.source.tied_weights import TIE_METHOD, Broken, broken_ties, may_tie

CODE = "GD107"
PROBE = "parameter-registration"


# Conditions, comments and methods that speak of one weight for both.
TIE = re.compile(r"(^|[^a-z])(tie|tied|tying|share|shared|sharing)([^a-z]|$)", re.I)


def see_constructor(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A tie that the constructor undoes, or that copies."""
    if not may_tie(node, visit.module):
        return
    constructor = constructor_at(node, visit.project, visit.owner, visit.parent)
    if constructor is None or not constructor.settled:
        return
    for tie in broken_ties(constructor):
        # A copy alone may be meant as a start; one that is called a tie is not.
        if tie.how == "copied" and not _is_called_a_tie(tie, visit):
            continue
        if not constructor.of_network:
            return
        location = visit.module.location(tie.node)
        yield Suspicion(
            rule=CODE,
            location=location,
            symbol=f"{constructor.info.symbol}.{tie.method or '__init__'}",
            message=_seen(tie),
            details={"first": tie.first, "second": tie.second, "how": tie.how},
            extent=(location.line, location.end_line),
        )


def _is_called_a_tie(tie: Broken, visit: Visit) -> bool:
    """Whether the condition, the comment above or the method speaks of tying or sharing."""
    if TIE_METHOD.search(tie.method):
        return True
    line = tie.node.lineno
    return any(TIE.search(text) for text in visit.module.lines[max(line - 3, 0) : line])


def _seen(tie: Broken) -> str:
    both = f"{tie.first} and {tie.second}"
    if tie.how == "copied":
        return f"{both} are called one here, and this makes a copy: they are two parameters."
    if tie.how == "one memory":
        return (
            f"{both} share their numbers here, and are two parameters: an optimizer moves both, "
            f"and `.to(device)` parts them."
        )
    return f"{both} are tied here, and line {tie.undone} makes one of them anew: they are two."


def read_registration(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict the ties of constructors that did not hold."""
    if not isinstance(measurement, ParameterRegistration):
        return
    for tie in measurement.broken_ties:
        yield _conviction(tie)


def _conviction(tie: BrokenTie) -> Conviction:
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=Place(path=tie.path, symbol=tie.symbol, line=tie.line),
        message=_message(tie),
        values={
            "first": tie.first,
            "second": tie.second,
            "same_values": tie.alike,
            "setting": tie.setting,
            "one_memory": tie.one_memory,
        },
    )


def _message(tie: BrokenTie) -> str:
    both = f"{tie.first} and {tie.second}"
    if tie.one_memory:
        return (
            f"{both} share their memory here, and are two parameters: an optimizer moves the "
            f"same numbers twice a step."
        )
    if tie.setting:
        return f"{tie.setting} is true, and {both} are two parameters: nothing makes them one."
    return (
        f"{both} are tied here, and are two parameters when the constructor has ended: something "
        f"made one of them anew."
    )


def _test(values: Mapping[str, Value]) -> str:
    """The two names are to lead to one parameter."""
    if values.get("one_memory"):
        return f"""\
parameters = dict(build().named_parameters(remove_duplicate=False))
first, second = parameters["{values.get("first")}"], parameters["{values.get("second")}"]
assert first is second, "two parameters look at the same numbers"
"""
    return f"""\
parameters = dict(build().named_parameters(remove_duplicate=False))
first, second = parameters["{values.get("first")}"], parameters["{values.get("second")}"]
assert first.data_ptr() == second.data_ptr(), "the two weights are not tied"
"""


SICK = """\
import torch.nn.functional as F
from torch import nn


class Tied(nn.Module):
    def __init__(self, vocab=100, width=32):
        super().__init__()
        self.tokens = nn.Embedding(vocab, width)
        self.head = nn.Linear(width, vocab, bias=False)
        self.head.weight = self.tokens.weight
        self.tokens = nn.Embedding(vocab, width, padding_idx=0)

    def forward(self, ids, targets):
        logits = self.head(self.tokens(ids))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="broken-tie",
    severity=Severity.HIGH,
    summary="Two weights are tied in the text, and the model has two of them.",
    explanation=(
        "The constructor says `self.head.weight = self.tokens.weight`, and something after it "
        "makes one of the two layers or weights anew; or a setting such as `tie_weights` is true, "
        "and the head has a matrix of its own, or a copy; or one weight is given the `.data` of "
        "the other, which is no tie but two parameters on one memory. A tie that a subclass "
        "undoes, and one that a method of its own makes when it is called, are not meant."
    ),
    harm=(
        "The model has a matrix of the vocabulary's size too many, the two learn apart, and a "
        "checkpoint of the tied model does not fit. On one memory an optimizer steps twice, each "
        "time with a part of the gradient, until the model is moved to a device: then there are "
        "two."
    ),
    confirmed_by=(
        "The probe parameter-registration looks at both sides of the statement, or at the one "
        "head and the one embedding of its shape, when the model is built: two different "
        "parameters confirm it, and so do two parameters at one address in memory."
    ),
    sick=SICK,
    healed=SICK.replace(
        "        self.head.weight = self.tokens.weight\n"
        "        self.tokens = nn.Embedding(vocab, width, padding_idx=0)\n",
        "        self.head.weight = self.tokens.weight\n",
    ),
    suspects={Named(ast.FunctionDef, ("__init__",)): see_constructor},
    convicts={PROBE: read_registration},
    proof=Proof(test=_test),
)
