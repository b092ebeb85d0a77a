"""GD906: units start alike and stay so, because their gradients are alike too."""

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
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.symmetry import SymmetricParameter, Symmetry
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.constant_parameters import constant_matrices, filled_layers, may_be_constant
from gptdoctor.source.constant_weights import FILLS, fills_all

CODE = "GD906"
NAMES_SHOWN = 3


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call) or visit.flow is None:
        return
    weights = fills_all(node, visit.flow, visit.parents)
    if weights:
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(node),
            symbol=visit.symbol,
            message=(
                f"`{ast.unparse(node)}` sets `{weights}` of all linear layers to one number, and "
                "nothing draws them: their units learn the same"
            ),
            extent=(node.lineno, node.end_lineno or node.lineno),
        )


def see_fills(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A call that fills weights with one number: of all layers in a loop, or of one by one."""
    yield from _suspect(node, visit)
    yield from see_fill(node, visit)


def see_parameter(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A parameter that is a matrix of one number, as all of its class are."""
    if not may_be_constant(node):
        return  # as most, by their own form
    flow, owner = visit.flow, visit.owner
    if flow is None or owner is None or flow.name != "__init__" or not flow.method:
        return
    if node in constant_matrices(owner, flow) and visit.project.is_network(owner):
        yield _of_one_number(node, visit)


def see_fill(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A weight that is filled with one number, as those of all linear layers of the class are."""
    flow, owner = visit.flow, visit.owner
    if flow is None or owner is None or not flow.method:
        return
    if node in filled_layers(owner, flow) and visit.project.is_network(owner):
        yield _of_one_number(node, visit)


def _of_one_number(node: ast.AST, visit: Visit) -> Suspicion:
    location = visit.module.location(node)
    return Suspicion(
        rule=CODE,
        location=location,
        symbol=visit.symbol,
        message=(
            f"`{ast.unparse(node)}` is of one number, as all weights of the class are: its units "
            "learn the same"
        ),
        extent=(location.line, location.end_line),
    )


def read_symmetry(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict each line that makes units which never differ."""
    if not isinstance(measurement, Symmetry):
        return
    places: dict[Place, list[SymmetricParameter]] = {}
    for one in measurement.symmetric:
        place = Place(path=record.target.path, symbol=record.target.name)
        if one.path:
            place = Place(path=one.path, symbol=one.symbol, line=one.line)
        places.setdefault(place, []).append(one)
    for place, found in places.items():
        yield _conviction(place, found, measurement)
    if not places:
        yield Conviction(
            rule=CODE,
            status=Status.REFUTED,
            probe="symmetry",
            place=None,
            message="No units stay alike.",
            values={"alike_as_built": measurement.alike_as_built, "steps": measurement.steps},
        )


def _conviction(place: Place, found: list[SymmetricParameter], measurement: Symmetry) -> Conviction:
    names = [one.name for one in found]
    more = len(names) - NAMES_SHOWN
    listed = ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
    moved = any(one.moved for one in found)
    why = (
        "their gradients are equal too, so that all of them learn the same"
        if moved
        else "their gradient is zero, so that they stay as they are"
    )
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe="symmetry",
        place=place,
        message=f"All rows of {listed} start at {found[0].value:g}, and {why}.",
        values={
            "parameters": tuple(names),
            "value": found[0].value,
            "moved": moved,
            "steps": measurement.steps,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """The weights before and after some steps."""
    names = values.get("parameters")
    listed = [str(name) for name in names] if isinstance(names, tuple) else []
    return (
        "model, ids = build().double(), random_ids()\n"
        "weights = dict(model.named_parameters())\n"
        f"names = {listed!r}\n"
        "before = {name: weights[name].detach().clone() for name in names}\n"
        "before = {name: each for name, each in before.items() if alike(each, 0.0)}\n"
        f"descend(weights, [lambda: loss(model, ids)] * {values.get('steps')}, 1e-12)\n"
        "stuck = still_alike(before, weights)\n"
        "assert not stuck, f\"all rows of {', '.join(stuck)} are equal still\"\n"
    )


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class EvenReader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        self.head = nn.Linear(width, vocab_size)
        self.apply(self.set_weights)

    def set_weights(self, layer):
        if isinstance(layer, nn.Linear):
            nn.init.constant_(layer.weight, 0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, ids, targets):
        states, _ = self.mix(self.embedding(ids))
        logits = self.head(states + self.down(F.gelu(self.up(states))))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="symmetric-initialisation",
    severity=Severity.HIGH,
    summary="Units start alike and stay so: a whole layer is worth one unit.",
    explanation=(
        "All rows of a weight start equal, on both sides of the same units, and so do their "
        "gradients: no step ever makes two of them differ. Or two factors of one product both "
        "start at zero, and neither gets a gradient. In text: a function given to `apply`, or a "
        "loop over all modules or parameters, that fills the weights of all linear layers with "
        "one number, and their biases if they have any, in a class that draws nothing; the same "
        "layer by layer, and parameters that are matrices of ones, zeros or another number. One "
        "projection, gate or adapter that starts at zero beside others that do not is healthy: it "
        "differs after a step."
    ),
    harm="The layer costs what it costs and computes one number, or nothing.",
    confirmed_by=(
        "The probe symmetry looks for weights with equal rows in the fresh model, takes three "
        "steps of descent and looks again: rows that moved alike, or not at all although the "
        "model uses them, confirm it."
    ),
    sick=SICK,
    healed=SICK.replace("constant_(layer.weight, 0.02)", "normal_(layer.weight, std=0.02)"),
    suspects={calls(*FILLS): see_fills, calls("Parameter"): see_parameter},
    confidence=Confidence.MEDIUM,
    convicts={"symmetry": read_symmetry},
    explains=("GD903",),
    proof=Proof(
        measures=(
            "probes.symmetry:alike",
            "probes.symmetry:descend",
            "probes.symmetry:still_alike",
        ),
        test=_test,
    ),
)
