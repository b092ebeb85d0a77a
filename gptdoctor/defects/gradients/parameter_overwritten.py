"""GD104: something else is put in the place of a parameter."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.parameter_registration import Overwritten, ParameterRegistration
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Named, Proof, Visit, attributes, calls
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.forward_path import runs_in_forward
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.replaced_in_layers import given_to_layers, remade_for_layers
from gptdoctor.source.replaced_parameters import (
    OWN,
    Replacement,
    may_replace,
    names_parameter,
    replacements,
    sets_own,
)

CODE = "GD104"
PROBE = "parameter-registration"


# What takes the place of a parameter, in words.
REPLACED = {
    "tensor": "a tensor, which torch refuses, or puts in its place if it was deleted before",
    "refused": "a plain tensor, which torch refuses with a TypeError",
    "parameter": "a new parameter at each call, which no optimizer holds",
    "layer": "a new layer at each call, whose weights no optimizer holds",
}


def see_forward(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """An assignment in forward that replaces a parameter of the constructor's."""
    if isinstance(node, ast.FunctionDef) and may_replace(node):
        yield from _suspect(node, visit)


def see_method(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """An assignment elsewhere that torch refuses: to a parameter of the class itself."""
    if not isinstance(node, ast.FunctionDef) or node.name in ("__init__", "forward"):
        return
    info = visit.owner
    if info is None or not names_parameter(info) or not sets_own(visit.module.lines_of(node)):
        return
    if may_replace(node):
        yield from _suspect(node, visit)


def see_weight(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The same, to the weight of a layer, or by a name in quotes."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        return  # as most
    method = visit.function
    if not isinstance(method, ast.FunctionDef) or method.name == "forward":
        return
    if not may_replace(method):
        return
    yield from _suspect(method, visit)
    if method.name != "__init__":
        function = functions_of(visit.project, visit.module)[method]
        for found in given_to_layers(function):
            yield _suspicion(found, function)


def _suspect(node: ast.FunctionDef, visit: Visit) -> Iterator[Suspicion]:
    info = visit.owner
    if info is None or info.methods.get(node.name) is not node:
        return
    if runs_in_forward(node, info):
        function = functions_of(visit.project, visit.module)[node]
        for found in remade_for_layers(function):
            if visit.project.is_network(info):
                yield _suspicion(found, function)
    for found in replacements(visit.project, info, node):
        yield _suspicion(found, functions_of(visit.project, visit.module)[node])


def _suspicion(found: Replacement, function: Function) -> Suspicion:
    told = (
        f"`{found.target}` is a parameter's place, and {function.name} gives it "
        f"{REPLACED[found.kind]}"
    )
    return suspicion(CODE, found.statement, function, told)


def read_registration(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict the lines that put a tensor or a new parameter in the place of a parameter."""
    if not isinstance(measurement, ParameterRegistration):
        return
    for one in measurement.overwritten:
        yield Conviction(
            rule=CODE,
            status=Status.CONFIRMED,
            probe=PROBE,
            place=Place(path=one.path, symbol=one.symbol, line=one.line),
            message=_message(one),
            values={
                "how": one.how,
                "parameters_overwritten": len(one.names),
                "parameters_overwritten_names": one.names,
                "parameters": measurement.parameters,
            },
        )
    yield Conviction(
        rule=CODE,
        status=Status.REFUTED,
        probe=PROBE,
        place=None,
        message="After a forward pass every parameter is the one that it was.",
        values={"parameters_overwritten": 0, "parameters": measurement.parameters},
    )


def _message(one: Overwritten) -> str:
    names = ", ".join(one.names[:3])
    if one.how == "removed":
        return f"{names} is no parameter any more after this line: a tensor takes its place."
    return (
        f"Each forward pass makes {names} anew here: the optimizer goes on with a parameter that "
        f"the model does not use any more."
    )


def _test(values: Mapping[str, Value]) -> str:
    """The parameters before and after a forward pass are to be the same ones."""
    return """\
model = build()
before = dict(model.named_parameters())
run(model, random_ids())
after = dict(model.named_parameters())
lost = [name for name, parameter in before.items() if after.get(name) is not parameter]
assert not lost, f"after a forward pass these are other parameters, or none: {lost}"
"""


SICK = """\
import torch.nn.functional as F
from torch import nn


class Unit(nn.Module):
    def __init__(self, vocab=100, width=32):
        super().__init__()
        self.tokens = nn.Embedding(vocab, width)
        self.head = nn.Linear(width, vocab)

    def forward(self, ids, targets):
        self.head.weight = nn.Parameter(self.head.weight / self.head.weight.norm())
        logits = self.head(self.tokens(ids))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="parameter-overwritten",
    severity=Severity.CRITICAL,
    summary="Something else is put in the place of a parameter.",
    explanation=(
        "`forward` deletes a parameter and sets a tensor of that name, or makes a new "
        "`nn.Parameter` or a new module at each call; or a constructor or another method gives a "
        "parameter's place a plain tensor (`self.head.weight = torch.zeros(...)`), which torch "
        "refuses with a TypeError. So does a loop over layers that gives each a new parameter of "
        "its old one. Weight norm and other parametrizations, which compute a weight from "
        "parameters that stay, are not meant, nor is what is made once, at the first call."
    ),
    harm=(
        "The optimizer holds the old parameter: its steps change nothing that the model uses, and "
        "the new one starts from the same place again. Where torch refuses the tensor, the model "
        "cannot be built, or fails as soon as that method is called."
    ),
    confirmed_by=(
        "The probe parameter-registration compares the parameters before and after two forward "
        "passes. One that is gone, or that is another after each of them, confirms it."
    ),
    sick=SICK,
    healed=SICK.replace(
        "        self.head.weight = nn.Parameter(self.head.weight / self.head.weight.norm())\n"
        "        logits = self.head(self.tokens(ids))\n",
        "        weight = self.head.weight / self.head.weight.norm()\n"
        "        logits = F.linear(self.tokens(ids), weight, self.head.bias)\n",
    ),
    suspects={
        Named(ast.FunctionDef, ("forward",)): see_forward,
        ast.FunctionDef: see_method,
        attributes(*OWN): see_weight,
        calls("setattr"): see_weight,
    },
    words=("Parameter(", ".weight =", ".bias ="),
    convicts={PROBE: read_registration},
    explains=("GD903",),
    proof=Proof(test=_test),
)
