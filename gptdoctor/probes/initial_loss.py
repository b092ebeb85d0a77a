"""Probe initial-loss: the loss of the fresh model against that of one that knows nothing."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gptdoctor.core.diagnosis import GIVEN
from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.initial_loss import InitialLoss, LoudPart
from gptdoctor.probes.instruments.definitions import made_at
from gptdoctor.probes.instruments.fill_watch import filled_in
from gptdoctor.probes.instruments.forwards import forward_of
from gptdoctor.probes.instruments.operation_log import Operation, OperationLog
from gptdoctor.probes.instruments.requirements import require_forward, require_logits
from gptdoctor.probes.probe import Abstention, Probe
from gptdoctor.specimen.labels import text_of
from gptdoctor.specimen.specimen import Specimen

BATCHES = 3
# Above this multiple of ln V the reason is looked for.  Of 60 models of a public package all but
# one have 1.0 to 1.25.
LOOKED_INTO = 1.4
# A scale behind the head that is felt, and a gain of the head that is no usual initialisation's:
# torch's own has 0.58, 0.02 at a width of 768 has 0.55, orthogonal rows have 1.
FELT_SCALE, USUAL_GAIN = 1.5, 1.5


def expected_loss(logits: Tensor) -> float:
    """The mean loss, in nats, of logits [..., V] against labels that are drawn at random.

    ln V where all logits are equal, and more by half their variance where they differ.  Logits
    that are ruled out (minus infinity) are left out.
    """
    rows = logits.flatten(0, -2).double()
    rows = rows[:, rows.isfinite().all(dim=0)]
    return float((rows.logsumexp(dim=-1) - rows.mean(dim=-1)).mean())


def next_loss(logits: Tensor, ids: Tensor) -> float | None:
    """The mean loss, in nats, of logits [B, T, V] against the next of ids [B, T]."""
    if logits.shape[:2] != ids.shape or ids.shape[1] < 2:
        return None
    predicted = logits[:, :-1].flatten(0, 1).double()
    return float(functional.cross_entropy(predicted, ids[:, 1:].flatten()))


def measure(specimen: Specimen) -> InitialLoss:
    """The mean over some batches of random ids; the reason where it is far off."""
    require_forward(specimen)
    require_logits(specimen)
    if specimen.construction.build == GIVEN:
        raise Abstention("the model was given as it is, and may have learned something already")
    model = specimen.copy()
    if specimen.call(specimen.copy(), specimen.inputs()).logits is None:
        raise Abstention("the model gives a loss and no logits")
    forward = forward_of(specimen, model)
    expected, following, spreads, sizes = [], [], [], []
    for seed in range(specimen.seed, specimen.seed + BATCHES):
        inputs = _inputs(specimen, seed)
        with torch.no_grad():
            logits = forward(inputs).float()
        finite = logits.isfinite().all(dim=(0, 1))
        sizes.append(int(finite.sum()))
        expected.append(expected_loss(logits))
        following.append(_next(specimen, logits, inputs))
        spreads.append(float(logits[..., finite].std(dim=-1).mean()))
    if not all(map(math.isfinite, expected)) or min(sizes) < 2:
        raise Abstention("the logits are not finite")
    known = [each for each in following if each is not None]
    uniform = math.log(min(sizes))
    loss = statistics.fmean(expected)
    return InitialLoss(
        batches=BATCHES,
        vocabulary=min(sizes),
        uniform_nats=uniform,
        expected_nats=loss,
        next_nats=statistics.fmean(known) if known else None,
        logits_spread=statistics.fmean(spreads),
        loud=_loud_part(specimen, model) if loss > LOOKED_INTO * uniform else None,
    )


def _inputs(specimen: Specimen, seed: int) -> dict[str, Any]:
    construction = specimen.construction
    return specimen.make_inputs(construction.batch, construction.length, seed)


def _next(specimen: Specimen, logits: Tensor, inputs: Mapping[str, Any]) -> float | None:
    """The loss against the next id, where it is known which of the inputs the ids are."""
    if specimen.recipe is None:
        return None
    ids = text_of(specimen.recipe, inputs)
    return next_loss(logits, ids) if int(ids.max()) < logits.shape[-1] else None


def _loud_part(specimen: Specimen, model: nn.Module) -> LoudPart | None:
    """What makes the logits large: the last operations of one more forward pass tell."""
    log = OperationLog(root=specimen.root)
    specimen.reseed()
    with torch.no_grad(), warnings.catch_warnings(), log:
        warnings.simplefilter("ignore")  # torch would name our frame for the user's
        outputs = specimen.call(model, specimen.inputs())
    if outputs.logits is None:
        return None
    head, later = _head(log.operations, outputs.logits.shape[-1])
    if head is None:
        return None
    scale = max(later, key=_growth, default=None)
    if scale is not None and _growth(scale) > FELT_SCALE:
        return _part("scale", scale.name.strip("_"), _growth(scale), scale.place)
    names = {each.untyped_storage()._cdata: name for name, each in model.named_parameters()}
    for each in head.given:
        name = names.get(each.untyped_storage()._cdata)
        if name is not None and each.dim() > 1:
            gain = float(each.detach().float().std()) * min(each.shape) ** 0.5
            if gain > USUAL_GAIN:
                return _loud_weight(specimen, model, name, gain)
    size = float(head.given[0].float().square().mean().sqrt())
    return _part("input", head.name.strip("_"), size, head.place)


def _head(operations: list[Operation], width: int) -> tuple[Operation | None, list[Operation]]:
    """The last operation that makes logits [..., V] of something else, and what comes after it."""
    for index in range(len(operations) - 1, -1, -1):
        one = operations[index]
        made = one.made[0]
        if made.dim() > 1 and made.shape[-1] == width and made.is_floating_point():
            activations = [each for each in one.given if each.numel() != made.numel()]
            multiplies = one.name in ("linear", "matmul", "__matmul__", "einsum", "addmm", "bmm")
            if multiplies and activations:
                return one, [each for each in operations[index + 1 :] if _is_like(each, width)]
    return None, []


def _is_like(operation: Operation, width: int) -> bool:
    """Whether an operation makes logits of logits."""
    made, given = operation.made[0], operation.given
    wide = made.dim() > 1 and made.shape[-1] == width and made.is_floating_point()
    return wide and any(each.numel() == made.numel() for each in given)


def _growth(operation: Operation) -> float:
    """How much more logits differ behind an operation than before it."""
    made = operation.made[0]
    before = max(float(e.float().std()) for e in operation.given if e.numel() == made.numel())
    return float(made.float().std()) / before if before > 0 else 1.0


def _loud_weight(specimen: Specimen, model: nn.Module, name: str, gain: float) -> LoudPart:
    # A copy has numbers of its own where two parameters share theirs.
    weight = specimen.model.get_parameter(name)
    tables = [
        f"{each}.weight"
        for each, one in specimen.model.named_modules()
        if isinstance(one, nn.Embedding) and one.weight.data_ptr() == weight.data_ptr()
    ]
    filled = filled_in(specimen, name)
    return replace(
        _part("weight", name, gain, filled or made_at(model, name, specimen.root)),
        tied=bool(tables),
        # A head that was handed the table's numbers has them as the table was made.
        as_torch_makes_it=filled is None or any(filled_in(specimen, one) is None for one in tables),
    )


def _part(kind: str, name: str, factor: float, place: Place | None) -> LoudPart:
    return LoudPart(
        kind=kind,
        name=name,
        factor=factor,
        tied=False,
        as_torch_makes_it=False,
        path=place.path if place is not None else "",
        symbol=place.symbol if place is not None else "",
        line=place.line if place is not None else None,
    )


PROBE = Probe(name="initial-loss", order=24, measure=measure, fast=True)
