"""Probe finite-values: whether the numbers stay finite, and which operation spoils them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.finite_values import (
    FiniteCase,
    FiniteValues,
    Spoiled,
    Uninitialised,
)
from gptdoctor.probes.instruments.backward_watch import BackwardWatch, spoiler
from gptdoctor.probes.instruments.definitions import made_at
from gptdoctor.probes.instruments.fill_watch import filled_in
from gptdoctor.probes.instruments.forward_spoiler import FiniteWatch
from gptdoctor.probes.instruments.nan_layers import NanLayers
from gptdoctor.probes.instruments.operation_log import Operation
from gptdoctor.probes.instruments.requirements import require_forward
from gptdoctor.probes.instruments.uninitialised import uninitialised
from gptdoctor.probes.probe import Probe
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.places import crash_of, told
from gptdoctor.specimen.specimen import Specimen

# Moves weights off the values where a slope is infinite by accident, and hardly moves the model.
MOVE = 0.02
NAMES = 20  # of the parameters concerned, that are kept


def moved(model: nn.Module, seed: int) -> nn.Module:
    """Move every floating parameter of `model` a little, in place, and give it back.

    What is positive throughout may have to be: it is moved by a share of itself.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point() and parameter.numel():
                noise = torch.randn(parameter.shape, generator=generator).to(parameter) * MOVE
                positive = bool((parameter > 0).all())
                parameter.add_(noise.clamp(-0.5, 0.5) * parameter if positive else noise)
    return model


def not_finite(tensors: Mapping[str, Tensor | None]) -> tuple[str, ...]:
    """The names of those that hold NaN or an infinity."""
    return tuple(
        name
        for name, tensor in tensors.items()
        if tensor is not None and not bool(tensor.isfinite().all())
    )


class NothingToPredictError(Exception):
    """The mean over no tokens is NaN by definition, which says nothing of the model."""


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One way to run the model."""

    precision: str
    moved: bool = False
    evaluating: bool = False

    def model(self, specimen: Specimen) -> nn.Module:
        model = specimen.copy()
        if self.evaluating:
            return model.eval()
        return moved(model, specimen.seed) if self.moved else model

    def context(self, model: nn.Module) -> AbstractContextManager[object]:
        if self.precision == "float32":
            return nullcontext()
        device = next((each.device.type for each in model.parameters()), "cpu")
        return torch.autocast(device, dtype=torch.bfloat16)


def _loss(specimen: Specimen, model: nn.Module, case: _Case) -> Tensor:
    """The loss of the known call, in the precision of the case."""
    inputs = specimen.inputs()
    specimen.reseed()
    with warnings.catch_warnings(), case.context(model):
        warnings.simplefilter("ignore")  # torch would name our frame for the user's
        return specimen.loss(model, inputs)


def _measured(specimen: Specimen, case: _Case) -> FiniteCase:
    try:
        model = case.model(specimen)
        where, names = _not_finite(specimen, model, case)
        spoiled = _spoiled(specimen, case, where, names) if where else None
    except FAILURES as error:
        return _crashed(specimen, case, error)
    return _case(case, where=where, names=names[:NAMES], spoiled=spoiled)


def _not_finite(specimen: Specimen, model: nn.Module, case: _Case) -> tuple[str, tuple[str, ...]]:
    """What is not finite first, as `FiniteCase.where`, and the parameters concerned."""
    parameters = dict(model.named_parameters())
    spoiled = not_finite({name: each.detach() for name, each in parameters.items()})
    if spoiled:
        return "weights", spoiled
    if case.evaluating:
        return ("outputs" if _evaluates_to_nothing(specimen, model) else ""), ()
    loss = _loss(specimen, model, case)
    if not_finite({"loss": loss.detach()}):
        return "loss", ()
    if loss.requires_grad:
        loss.backward()  # type: ignore[no-untyped-call]
    spoiled = not_finite({name: each.grad for name, each in parameters.items()})
    return ("gradients", spoiled) if spoiled else ("", ())


def _evaluates_to_nothing(specimen: Specimen, model: nn.Module) -> bool:
    """Whether outputs of a model that evaluates are NaN; an infinity may shut out a token."""
    inputs = specimen.inputs()
    specimen.reseed()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would name our frame for the user's
        outputs = specimen.call(model, inputs)
    found = (outputs.logits, outputs.features, outputs.loss)
    return any(one is not None and bool(one.isnan().any()) for one in found)


def _crashed(specimen: Specimen, case: _Case, error: BaseException) -> FiniteCase:
    """Not measured; but for a number in the user's code that the precision cannot hold."""
    crash = crash_of(error, specimen.root, "forward")
    if case.precision == "float32" or "without overflow" not in crash.message or not crash.path:
        return _case(case, reason=told(error, specimen.root))
    place = Place(path=crash.path, symbol=crash.symbol, line=crash.line)
    return _case(case, where="constant", spoiled=_at(place, "", "infinite", "constant"))


def _case(
    case: _Case,
    *,
    reason: str = "",
    where: str = "",
    names: tuple[str, ...] = (),
    spoiled: Spoiled | None = None,
) -> FiniteCase:
    return FiniteCase(
        precision=case.precision,
        moved=case.moved,
        measured=not reason,
        reason=reason,
        where=where,
        names=names,
        spoiled=spoiled,
        evaluating=case.evaluating,
    )


def _spoiled(specimen: Specimen, case: _Case, where: str, names: tuple[str, ...]) -> Spoiled | None:
    """The operation to blame: the same pass once more, and watched."""
    if where == "weights":
        place = filled_in(specimen, names[0])
        place = place or made_at(specimen.model, names[0], specimen.root)
        return _at(place, "", "NaN", "value")
    model = case.model(specimen)
    if where == "gradients":
        backward = BackwardWatch(root=specimen.root)
        with backward:
            loss = _loss(specimen, model, case)
        loss.backward()  # type: ignore[no-untyped-call]
        found = spoiler(backward)
        return None if found is None else _at(found.place, found.name, "NaN", "slope")
    if case.evaluating:
        layers = NanLayers(specimen.root)
        with layers.watching():
            _evaluates_to_nothing(specimen, model)
        return _at(layers.place, layers.layer, "NaN", "value") if layers.layer else None
    forward = FiniteWatch(root=specimen.root)
    with forward:
        _loss(specimen, model, case)
    first = forward.first()
    if first is None:
        return None
    operation, result, cause = first
    if _predicts_nothing(operation, specimen.construction.length):
        raise NothingToPredictError("the call that works leaves no token to be predicted")
    place = _place_of_mask(operation, model, specimen) if cause == "masked row" else None
    return _at(place or operation.place, operation.name, result, cause)


def _predicts_nothing(operation: Operation, length: int | None) -> bool:
    """Whether a mean is over no tokens: none is given, or one is, and none comes after it.

    The labels of a text of one token that are shifted are all -100, which a loss leaves out.
    """
    if not all(each.numel() for each in operation.given):
        return True
    labels = [each for each in operation.given if each.dtype == torch.long]
    return length == 1 and bool(labels) and all(bool((each < 0).all()) for each in labels)


def _place_of_mask(operation: Operation, model: nn.Module, specimen: Specimen) -> Place | None:
    """Where the model made the buffer that is the mask, if it is one."""
    buffers = {each.untyped_storage()._cdata: name for name, each in model.named_buffers()}
    for each in operation.given:
        name = buffers.get(each.untyped_storage()._cdata)
        if name is not None:
            return made_at(model, name, specimen.root)
    return None


def _at(place: Place | None, operation: str, result: str, cause: str) -> Spoiled:
    return Spoiled(
        operation=operation.strip("_"),
        result=result,
        cause=cause,
        path=place.path if place is not None else "",
        symbol=place.symbol if place is not None else "",
        line=place.line if place is not None else None,
    )


def measure(specimen: Specimen) -> FiniteValues:
    """As built; only where that is finite, evaluating, with moved weights and in bfloat16."""
    require_forward(specimen)
    cases = [_measured(specimen, _Case(precision="float32"))]
    if not cases[0].where:
        cases.append(_measured(specimen, _Case(precision="float32", evaluating=True)))
        cases.append(_measured(specimen, _Case(precision="float32", moved=True)))
        cases.append(_measured(specimen, _Case(precision="bfloat16")))
    empty = uninitialised(specimen)
    return FiniteValues(
        objective=specimen.objective,
        cases=tuple(cases),
        uninitialised=tuple(_left_out(specimen, name) for name in (empty or ())[:NAMES]),
        initialisation_seen=empty is not None,
    )


def _left_out(specimen: Specimen, name: str) -> Uninitialised:
    place = made_at(specimen.model, name, specimen.root)
    return Uninitialised(
        name=name,
        path=place.path if place is not None else "",
        symbol=place.symbol if place is not None else "",
        line=place.line if place is not None else None,
    )


PROBE = Probe(name="finite-values", order=22, measure=measure, fast=True)
