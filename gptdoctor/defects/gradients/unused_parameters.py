"""GD106: a part of the model that nothing uses."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import (
    Confidence,
    Conviction,
    Place,
    Severity,
    Status,
    Suspicion,
    Value,
)
from gptdoctor.core.measurements.context_use import ContextUse
from gptdoctor.core.measurements.gradient_flow import GradientFlow, UnusedPart
from gptdoctor.core.measurements.information import SEEDS
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Named, Proof, Visit
from gptdoctor.source.constructors import Constructor, constructor_at, constructor_of
from gptdoctor.source.forgotten_items import forgotten_items
from gptdoctor.source.forgotten_layers import forgotten, is_plain, names_once
from gptdoctor.source.idle_layers import idle_statements, layers_used_in

CODE = "GD106"
PROBE = "gradient-flow"


def see_constructor(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """What a constructor makes, and no text names again."""
    owner = visit.owner
    if owner is None or not is_plain(owner, visit.project):
        return
    names, items = names_once(visit.module.lines_of(owner.node)), "ModuleDict(" in owner.text
    if not names and not items:
        return
    constructor = constructor_at(node, visit.project, owner, visit.parent)
    if constructor is None:
        return
    told = "is made here and named nowhere again: no forward pass can use it"
    yield from _suspicions(constructor, names, told, visit)
    for setting, key, name in forgotten_items(constructor) if items else ():
        yield _suspicion(constructor, key, f"{setting.name}[{name!r}]", told, visit)


def see_forward(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A layer of which a forward pass computes something, and does nothing with it."""
    if not isinstance(node, ast.FunctionDef):
        return
    for statement in idle_statements(node, visit.module):
        info = visit.owner
        if info is None or info.methods.get(node.name) is not node:
            return
        names = set(layers_used_in(statement, info))
        constructor = constructor_of(visit.project, info) if names else None
        if constructor is not None and is_plain(info, visit.project):
            line = visit.module.location(statement).line
            told = f"is used at line {line} alone, and nothing reads what it makes there"
            yield from _suspicions(constructor, names, told, visit)


def _suspicions(
    constructor: Constructor, names: set[str], told: str, visit: Visit
) -> Iterator[Suspicion]:
    for setting in forgotten(constructor, names):
        yield _suspicion(constructor, setting.node, setting.name, told, visit)


def _suspicion(
    constructor: Constructor, node: ast.AST, name: str, told: str, visit: Visit
) -> Suspicion:
    location = visit.module.location(node)
    return Suspicion(
        rule=CODE,
        location=location,
        symbol=f"{constructor.info.symbol}.__init__",
        message=f"`self.{name}` {told}",
        details={"attribute": name},
        extent=(location.line, location.end_line),
    )


def read_flow(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict what no pass used and no text reads; what some text reads is merely idle here."""
    if not isinstance(measurement, GradientFlow) or measurement.crash is not None:
        return
    alike: dict[tuple[str, int], list[UnusedPart]] = {}  # layers of one class share a line
    told = _forgotten_positions(record)  # by GD805, whose harm is more than waste
    for part in measurement.unused:
        if part.is_forgotten and not told.intersection(part.parameters):
            alike.setdefault((part.path, part.line), []).append(part)
    for parts in alike.values():
        yield _conviction(parts, measurement)


def _forgotten_positions(record: ModelRecord) -> frozenset[str]:
    """The parameters that hold positions, where the outputs know of none."""
    return frozenset(
        name
        for one in record.told(ContextUse)
        if not one.is_blind_to_context
        and (one.positions_are_dead or one.is_order_blind)
        and one.seeds == SEEDS
        for name in one.positions
    )


def _conviction(parts: list[UnusedPart], measurement: GradientFlow) -> Conviction:
    part = parts[0]
    attribute = part.name.rpartition(".")[2]
    more = f" (and {len(parts) - 1} more like it)" if len(parts) > 1 else ""
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=Place(path=part.path, symbol=part.symbol, line=part.line),
        message=(
            f"{part.name}{more} is made and never used: no forward pass gave it to an operation, "
            f"and no code reads its attribute {attribute}."
        ),
        values={
            "parts": tuple(each.name for each in parts),
            "parameters_unused": sum(len(each.parameters) for each in parts),
            "numbers_unused": sum(each.numbers for each in parts),
            "parameters": len(measurement.parameters),
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """The parameters of the parts that nothing calls."""
    parts = values.get("parts")
    names = [str(each) for each in parts] if isinstance(parts, tuple) else []
    return f"""\
model = build()
for seed in range(8):  # some parts, as experts, have nothing to do with every text
    loss(model, random_ids(seed)).backward()
parts = [part for name, part in model.named_modules() if name in {names!r}]
states = [gradient_state(each) for part in parts for each in part.parameters()]
assert "none" not in states, "no forward pass uses the part"
"""


SICK = """\
import torch.nn.functional as F
from torch import nn


class Normed(nn.Module):
    def __init__(self, vocab=100, width=32):
        super().__init__()
        self.tokens = nn.Embedding(vocab, width)
        self.last_norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab)

    def forward(self, ids, targets):
        logits = self.head(self.tokens(ids))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="unused-parameters",
    severity=Severity.LOW,
    summary="A part of the model is made and never used.",
    explanation=(
        "The constructor makes a layer or a parameter, and nothing else in the code so much as "
        "names it: often a norm or a projection that forward was meant to apply; or forward gives "
        "what it makes to a name that nothing reads. Parts that the code does use, if not for "
        "this input (another modality, experts that no token chose, adapters that are off, heads "
        "for several tokens ahead), are not meant; they are told in a note. The text shows it "
        "where all files of the project are in sight, and none goes through the parts of a model "
        "without their names."
    ),
    harm=(
        "It costs memory, distributed training stops at parameters without a gradient, and where "
        "it was forgotten the model is another than was meant."
    ),
    confirmed_by=(
        "The probe gradient-flow runs several batches, also with moved weights. A parameter that "
        "no operation was given, and whose attribute no loaded file of the project reads outside "
        "of constructors, confirms it."
    ),
    sick=SICK,
    healed=SICK.replace(
        "self.head(self.tokens(ids))", "self.head(self.last_norm(self.tokens(ids)))"
    ),
    suspects={
        Named(ast.FunctionDef, ("__init__",)): see_constructor,
        Named(ast.FunctionDef, ("forward",)): see_forward,
    },
    confidence=Confidence.MEDIUM,
    convicts={PROBE: read_flow},
    proof=Proof(measures=("probes.gradient_flow:gradient_state",), test=_test),
)
