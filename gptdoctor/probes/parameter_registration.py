"""Probe parameter-registration: weights that torch does not know, and those that do not last."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.parameter_registration import (
    Overwritten,
    ParameterRegistration,
    Unregistered,
)
from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.probes.instruments.attribute_text import Assignment, assigned_at
from gptdoctor.probes.instruments.attribute_watch import AttributeWatch
from gptdoctor.probes.instruments.frozen_head import frozen_head
from gptdoctor.probes.instruments.graph_leaves import leaves
from gptdoctor.probes.instruments.held_weights import HeldWeight, held_weights
from gptdoctor.probes.instruments.plain_tensors import plain_weights
from gptdoctor.probes.instruments.requirements import require_forward
from gptdoctor.probes.instruments.ties import broken_ties
from gptdoctor.probes.probe import Abstention, Probe
from gptdoctor.specimen.places import told
from gptdoctor.specimen.specimen import Specimen


@dataclass(kw_only=True)
class _Pass:
    """One forward pass: the parameters after it, and what the loss reaches."""

    parameters: dict[str, nn.Parameter]
    leaves: list[Tensor]
    given: set[int]  # ids of the inputs


def _pass(specimen: Specimen, model: nn.Module, seed: int) -> _Pass:
    construction = specimen.construction
    inputs = specimen.make_inputs(construction.batch, construction.length, seed)
    specimen.reseed()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loss = specimen.loss(model, inputs)
    return _Pass(
        parameters=dict(model.named_parameters(remove_duplicate=False)),
        leaves=list(leaves(loss)),
        given={id(each) for each in tensors(inputs)},
    )


def measure(specimen: Specimen) -> ParameterRegistration:
    """Two forward passes of one copy; what is new after both is made anew each time."""
    require_forward(specimen)
    model = specimen.copy()
    before = dict(model.named_parameters(remove_duplicate=False))
    try:
        with AttributeWatch(specimen.root) as watch:
            first = _pass(specimen, model, specimen.seed)
            unregistered = tuple(_unregistered(specimen, model, before, first))
            second = _pass(specimen, model, specimen.seed + 1)
    except (Exception, SystemExit) as error:
        raise Abstention(f"forward fails: {told(error, specimen.root)}") from error
    return ParameterRegistration(
        parameters=len(before),
        leaves=len(first.leaves),
        unregistered=unregistered,
        overwritten=tuple(_overwritten(model, before, first, second, watch)),
        broken_ties=tuple(broken_ties(specimen.model, specimen.root)),
        plain=tuple(plain_weights(specimen)),
        frozen_head=frozen_head(specimen),
    )


def _unregistered(
    specimen: Specimen, model: nn.Module, before: Mapping[str, nn.Parameter], run: _Pass
) -> Iterator[Unregistered]:
    """The leaves that no parameter is, by the attribute that holds them."""
    # what could not be copied is shared with the specimen, and may lead to its parameters
    registered = *before.values(), *run.parameters.values(), *specimen.model.parameters()
    known = {id(each) for each in registered} | run.given
    unknown = {id(leaf) for leaf in run.leaves if id(leaf) not in known}
    if not unknown:
        return
    by_attribute: dict[tuple[int, str], list[HeldWeight]] = {}
    for held in held_weights(model):
        if id(held.tensor) in unknown:
            unknown.discard(id(held.tensor))
            by_attribute.setdefault((id(held.module), held.attribute), []).append(held)
    for found in by_attribute.values():
        yield _told(found, specimen.root)


def _told(found: list[HeldWeight], root: str) -> Unregistered:
    one = found[0]
    assignment = assigned_at(one.module, one.attribute, root)
    place = assignment.place if assignment is not None else Place(path="", symbol="")
    return Unregistered(
        owner=one.owner,
        attribute=one.attribute,
        container=one.container,
        names=tuple(each.name for each in found),
        numbers=sum(each.tensor.numel() for each in found),
        path=place.path,
        symbol=place.symbol,
        line=place.line or 0,
        handed_in=_is_handed_in(assignment),
    )


def _is_handed_in(assignment: Assignment | None) -> bool:
    """Whether the statement wraps one name in a list: `self.base = [base]` hides it from torch."""
    value = assignment.statement.value if assignment is not None else None
    alone = isinstance(value, ast.List | ast.Tuple) and len(value.elts) == 1
    return alone and isinstance(value, ast.List | ast.Tuple) and isinstance(value.elts[0], ast.Name)


def _overwritten(
    model: nn.Module,
    before: Mapping[str, nn.Parameter],
    first: _Pass,
    second: _Pass,
    watch: AttributeWatch,
) -> Iterator[Overwritten]:
    """The parameters that are gone, and those that are new after each pass, by place."""
    found: dict[tuple[str, Place], list[str]] = {}
    for name in before:
        was, now = first.parameters.get(name), second.parameters.get(name)
        how = "removed" if now is None else "replaced"
        if now is None or (was is not before[name] and now is not was):
            place = _set_at(model, name, watch)
            if place is not None:
                found.setdefault((how, place), []).append(name)
    for (how, place), names in found.items():
        yield Overwritten(
            names=tuple(names),
            how=how,
            path=place.path,
            symbol=place.symbol,
            line=place.line or 0,
        )


def _set_at(model: nn.Module, name: str, watch: AttributeWatch) -> Place | None:
    """The line that set a parameter, or a module that it belongs to."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            owner = model.get_submodule(".".join(parts[: end - 1]))
        except AttributeError:
            continue  # it is gone as well
        place = watch.set_at.get((id(owner), parts[end - 1]))
        if place is not None:
            return place
    return None


PROBE = Probe(name="parameter-registration", order=22, measure=measure, fast=True)
