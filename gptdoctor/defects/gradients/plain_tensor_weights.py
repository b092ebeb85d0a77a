"""GD109: weights in a plain tensor, which no one trains, saves or moves."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.parameter_registration import ParameterRegistration, PlainWeight
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Named, Proof, Visit
from gptdoctor.source.constructors import constructor_at
from gptdoctor.source.plain_tensors import makes_tensors, plain_tensors
from gptdoctor.source.tensor_meetings import Meetings

CODE = "GD109"
PROBE = "parameter-registration"
# What the author says at the line: the numbers are to stay as they are.
INTENT = re.compile(
    r"#.*\b(frozen|freez\w+|fixed|constant|not saved|(not|n't|never) (be )?(train|learn)\w*)", re.I
)
KINDS = {
    "random": "is drawn when the model is made, and is a plain tensor: nobody trains it, and a "
    "model that is loaded again draws other numbers",
    "constant": "is a plain tensor that changes nothing as it is made: nobody trains it, so it "
    "never will",
}
# Names of random numbers that are to stay what they were drawn as, and of states.
FIXED = re.compile(
    r"noise|rand|fixed|frozen|hash|rotation|basis|state|cache|target|mask|buffer|codebook|anchor|seed",
    re.I,
)
# Names of tensors of zeros or ones that are weights as they start: factors, summands, and what
# is put beside the tokens.
WEIGHT = re.compile(
    r"weight|bias|scale|gain|gamma|beta|(^|_)[wb](_|$)|(^|_)(cls|token|query|prompt)$", re.I
)


def see_constructor(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """Random numbers, or ones under a weight's name, that forward adds or multiplies with."""
    if not makes_tensors(node, visit.module):
        return
    constructor = constructor_at(node, visit.project, visit.owner, visit.parent)
    if constructor is None:
        return
    plain = plain_tensors(constructor)
    for setting, kind in plain.found({"drawn", "flat"}):
        location = visit.module.location(setting.node)
        lines = visit.module.lines[max(location.line - 2, 0) : location.end_line]
        meant = FIXED.search(setting.name) or any(INTENT.search(line) for line in lines)
        weight = kind == "drawn" or WEIGHT.search(setting.name)
        if meant or not weight:
            continue
        if not constructor.of_network:
            return
        if not Meetings(constructor, setting.name).met_unmoved():
            continue
        yield Suspicion(
            rule=CODE,
            location=location,
            symbol=f"{constructor.info.symbol}.__init__",
            message=(
                f"self.{setting.name} {KINDS['random' if kind == 'drawn' else 'constant']}; use "
                f"nn.Parameter, or register_buffer."
            ),
            details={"attribute": setting.name, "kind": kind},
            extent=(location.line, location.end_line),
        )


def read_registration(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict each line that makes weights which are no parameters."""
    if not isinstance(measurement, ParameterRegistration):
        return
    alike: dict[tuple[str, int], list[PlainWeight]] = {}  # a helper makes several at one line
    for one in measurement.plain:
        if not INTENT.search(one.code):
            alike.setdefault((one.path, one.line), []).append(one)
    for found in alike.values():
        yield _conviction(found, measurement)
    if not measurement.plain:
        yield Conviction(
            rule=CODE,
            status=Status.REFUTED,
            probe=PROBE,
            place=None,
            message="No plain tensor of random numbers takes part in the loss.",
            values={"weights": measurement.parameters},
        )


def _conviction(found: list[PlainWeight], measurement: ParameterRegistration) -> Conviction:
    one = found[0]
    names = tuple(f"{each.owner}.{each.attribute}".lstrip(".") for each in found)
    more = f" (and {len(found) - 1} more like it)" if len(found) > 1 else ""
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=Place(path=one.path, symbol=one.symbol, line=one.line),
        message=f"{names[0]}{more} {KINDS[one.kind]}; use nn.Parameter, or register_buffer.",
        values={
            "attributes": names,
            "kind": one.kind,
            "numbers_unregistered": sum(each.numbers for each in found),
            "weights": measurement.parameters,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """The attributes that no table of torch's names."""
    names = values.get("attributes")
    wanted = [str(each) for each in names] if isinstance(names, tuple) else []
    return f"""\
model = build()
known = {{*dict(model.named_parameters()), *dict(model.named_buffers())}}
unknown = [name for name in {wanted!r} if name not in known]
assert not unknown, f"neither trained nor saved: {{unknown}}"
"""


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Placed(nn.Module):
    def __init__(self, vocab=100, width=32, longest=64):
        super().__init__()
        self.tokens = nn.Embedding(vocab, width)
        self.places = torch.randn(longest, width) * 0.02
        self.head = nn.Linear(width, vocab)

    def forward(self, ids, targets):
        logits = self.head(self.tokens(ids) + self.places[: ids.shape[1]])
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="plain-tensor-weights",
    severity=Severity.HIGH,
    summary="Weights are kept in a plain tensor, which nobody trains, saves or moves.",
    explanation=(
        "The constructor draws random numbers, or makes zeros that are added or ones that are "
        "multiplied, and gives them to an attribute without nn.Parameter or register_buffer. "
        "Numbers that are computed from the settings (frequencies, masks, position tables), caches "
        "and states that a pass writes, and constants whose names are not those of weights are "
        "not meant, nor is a line whose comment says that they stay fixed."
    ),
    harm=(
        "The optimizer never changes them, `.to()` leaves them behind, and `state_dict` does not "
        "save them: a trained model that is loaded again meets other random numbers."
    ),
    confirmed_by=(
        "The probe parameter-registration builds the model once more and follows the random "
        "numbers into plain attributes. A loss that changes when such an attribute is moved "
        "confirms it; where no attribute holds any it is refuted."
    ),
    sick=SICK,
    healed=SICK.replace(
        "torch.randn(longest, width) * 0.02", "nn.Parameter(torch.randn(longest, width) * 0.02)"
    ),
    suspects={Named(ast.FunctionDef, ("__init__",)): see_constructor},
    convicts={PROBE: read_registration},
    proof=Proof(test=_test),
)
