"""Probe training-interface: whether the model offers a loss of its own."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gptdoctor.core.measurements.training_interface import TrainingInterface
from gptdoctor.probes.instruments.requirements import require_forward, require_logits
from gptdoctor.probes.instruments.unmade_loss import idle_labels, place_of_none
from gptdoctor.probes.instruments.unmade_step import empty_step
from gptdoctor.probes.probe import Probe
from gptdoctor.specimen.specimen import Specimen


def reaches(loss: Tensor, model: nn.Module) -> bool:
    """Whether any parameter of `model` hears of the scalar `loss`."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not loss.requires_grad or not parameters:
        return False
    try:
        found = torch.autograd.grad(loss, parameters, allow_unused=True, retain_graph=True)
        return any(gradient is not None for gradient in found)
    except RuntimeError:  # a reentrant checkpoint on the way allows a plain backward alone
        loss.backward()  # type: ignore[no-untyped-call]
    return any(parameter.grad is not None for parameter in parameters)


def _heard(specimen: Specimen) -> dict[str, float]:
    """The loss, in nats, of each way in which the model gives one that its parameters hear of."""
    found: dict[str, float] = {}
    for own in specimen.own_losses:
        model = specimen.copy()
        specimen.reseed()
        loss = own.run(model, specimen.inputs())
        if reaches(loss, model):
            found[own.name] = loss.item()
    return found


def measure(specimen: Specimen) -> TrainingInterface:
    """The label parameters of the entry, and the losses that the model really gave."""
    construction = specimen.construction
    require_forward(specimen)
    require_logits(specimen)
    facts = {fact.name: fact for fact in (*construction.inputs, *construction.optional_inputs)}
    labels = tuple(name for name, fact in facts.items() if fact.kind == "labels")
    heard = _heard(specimen)
    entry = (*labels, construction.entry)
    idle = "" if heard else idle_labels(specimen)
    step = None if heard or idle else empty_step(specimen)
    return TrainingInterface(
        label_parameters=labels,
        loss_returned=any(name in entry for name in heard),
        loss_methods=tuple(name for name in heard if name not in entry),
        idle_labels=idle,
        idle_at=place_of_none(specimen, idle) if idle else None,
        empty_step="" if step is None else step.name,
        empty_step_call="" if step is None else step.call,
        empty_step_at=None if step is None else step.place,
        loss=next(iter(heard.values()), None),
        uniform_loss=math.log(max(construction.vocabulary, 1)),
    )


PROBE = Probe(name="training-interface", order=30, measure=measure, fast=True)
