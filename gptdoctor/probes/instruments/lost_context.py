"""Where what earlier tokens say is lost on its way to the last output."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.information import FlowPlace
from gptdoctor.probes.instruments.blame import (
    BATCH,
    flow_place,
    free_values,
    pair_of_inputs,
    record,
)
from gptdoctor.probes.instruments.leaks import differs, twins
from gptdoctor.probes.instruments.masks import Sight, mask_place, sights, value_count
from gptdoctor.probes.instruments.operations import SOFTMAX, Operation, Recording
from gptdoctor.probes.instruments.positions import computing, holders
from gptdoctor.probes.instruments.statements import forward_place, is_discarded
from gptdoctor.probes.instruments.steady import Steady
from gptdoctor.probes.instruments.texts import with_text
from gptdoctor.probes.instruments.uninitialised import empty_is_nan

TINY = 1e-12  # weights below it belong to what is hidden
EVEN = 1e-5  # rounding


def mixes(steady: Steady, length: int) -> bool:
    """Whether any operation brings earlier tokens to the last position."""
    return bool(_carriers(*_recordings(steady, length), length))


def lost_context(steady: Steady, length: int) -> FlowPlace | None:
    """The statement that loses what earlier tokens brought to the last position."""
    first, second = _recordings(steady, length)
    for sight in sights(first, length, free_values(first)):
        if sight.pattern == "only itself":
            place = mask_place(sight, first, steady.specimen.root)
            return flow_place(place or sight.operation.place, sight.operation.name)
    carriers = _carriers(first, second, length)
    if carriers:
        return _dropped(first, carriers, steady.specimen.root)
    return never_called(steady)


def _recordings(steady: Steady, length: int) -> tuple[Recording, Recording]:
    """Two runs on texts that differ everywhere but at the last position.

    Fresh memory reads as NaN, of which nothing is told: else it would differ by itself.
    """
    changed = torch.ones(BATCH, length, dtype=torch.bool)
    changed[:, -1] = False
    one, two = pair_of_inputs(steady, length, changed)
    with empty_is_nan():
        return record(steady, one), record(steady, two)


def _carriers(first: Recording, second: Recording, length: int) -> list[Operation]:
    """The operations with a result that differs at the last position."""
    others = twins(first, second)
    return [
        operation
        for operation in first.operations
        if (twin := others.get(id(operation))) is not None
        and any(
            _differ_last(one, other, length)
            for one, other in zip(operation.results, twin.results, strict=False)
        )
    ]


def _differ_last(one: Tensor, other: Tensor, length: int) -> bool:
    if one.shape != other.shape or length not in one.shape:
        return False
    at = list(one.shape).index(length)
    return differs(one.select(at, -1), other.select(at, -1))


def _dropped(recording: Recording, carriers: list[Operation], root: str) -> FlowPlace | None:
    """The statement behind the last carrier that makes nothing of it."""
    last = carriers[-1]
    for place in last.stack:
        if is_discarded(place, root):
            return flow_place(place, "call")
    made = set(last.outputs)
    index = recording.operations.index(last)
    for operation in recording.operations[index + 1 :]:
        if made & set(operation.inputs):  # it is given what carries, and gives nothing on
            return flow_place(operation.place, operation.name)
    following = recording.operations[index + 1 : index + 2]
    if not following or last.place is None:
        return flow_place(last.place, last.name)
    after = following[0]
    if after.place is not None and after.place.symbol == last.place.symbol:
        return flow_place(after.place, after.name)
    # It was handed back to a function that did not take it.
    own = after.place.symbol if after.place is not None else ""
    caller = next((place for place in last.stack if place.symbol == own), None)
    return flow_place(caller or last.place, "call")


def never_called(steady: Steady) -> FlowPlace | None:
    """The forward of the module that has a part that it does not call; None: all are called.

    A part of several modules, none of which is called and of whose tensors none is used: a norm
    that is left out, or a list of layers that are called one by one, mixes no positions.
    """
    recording = record(steady, steady.specimen.inputs())
    called = {id(module) for module, _ in recording.calls}
    called |= {id(owner) for owner, _ in recording.owners.values()}
    names = [
        type(module).__name__
        for module, _ in recording.calls
        if not type(module).__module__.startswith("torch.")
    ]
    kinds = {type(module) for module, _ in recording.calls}
    for kind in sorted(kinds, key=lambda each: -names.count(each.__name__)):
        for module, _ in recording.calls:
            if type(module) is not kind:
                continue
            idle = [child for child in module.children() if _is_idle(child, called)]
            place = forward_place(kind, steady.specimen.root) if idle else None
            if place is not None:
                return flow_place(place, "forward")
    return None


def _is_idle(part: nn.Module, called: set[int]) -> bool:
    members = [id(module) for module in part.modules()]
    return len(members) > 1 and not called.intersection(members)


def weighs_alike(steady: Steady, length: int) -> bool | None:
    """Whether, in a text of one token, every attention weighs all that it sees alike.

    Whatever tells positions to an attention, or to what it is given, makes some weigh more.
    """
    specimen, text = steady.specimen, steady.text
    one = text.rows(specimen.make_inputs(2, length, steady.seed)[text.name])[:1, :1]
    rows = one.expand(2, length, *one.shape[2:]).contiguous()
    recording = record(steady, with_text(specimen, text, rows, steady.seed))
    answers = [_is_even(sight) for sight in sights(recording, length, free_values(recording))]
    return all(answers) if answers else None


def _is_even(sight: Sight) -> bool:
    """Whether the weights of each position are equal, or what they are computed from is."""
    operation = sight.operation
    if operation.name in SOFTMAX:
        weights = operation.results[0][..., -sight.visible.shape[0] :]
        most = weights.masked_fill(weights < TINY, 0.0).amax(dim=-1)
        least = weights.masked_fill(weights < TINY, 2.0).amin(dim=-1)
        return bool(((most - least).abs() < EVEN).all())
    mask = operation.kwargs.get("attn_mask", None)
    if mask is None and operation.name == "scaled_dot_product_attention":
        mask = operation.args[3] if len(operation.args) > 3 else None
    if isinstance(mask, Tensor) and mask.is_floating_point() and value_count(mask) > 2:
        return False
    time = 0 if operation.name == "multi_head_attention_forward" else -2
    return all(
        not differs(each, each.select(time, 0).unsqueeze(time).expand_as(each))
        for each in operation.args[:2]
        if isinstance(each, Tensor)
    )


def lost_positions(steady: Steady, length: int) -> FlowPlace | None:
    """Where what holds positions is read, or else the forward that does nothing with it."""
    recording = record(steady, steady.specimen.inputs())
    kept = {(id(one.owner), one.name.rpartition(".")[2]) for one in holders(recording.model)}
    start = {
        number for number, (owner, name) in recording.owners.items() if (id(owner), name) in kept
    }
    parts = _parts(recording.model)
    for module, numbers in recording.returns:
        start |= set(numbers) if id(module) in parts else set()
    derived = recording.derived_from(start) & free_values(recording)
    receiver = _last_receiver(steady, recording, derived) or _given_back(recording, kept)
    if receiver is not None:
        return flow_place(receiver, "forward")
    for operation in recording.operations:
        if start & set(operation.inputs) and operation.place is not None:
            return flow_place(operation.place, operation.name)
    return _owner_forward(steady, recording)


def _given_back(recording: Recording, kept: set[tuple[int, str]]) -> Place | None:
    """Who called a module of positions and made nothing of what it gave back."""
    owners = {owner for owner, _ in kept}
    used = {number for operation in recording.operations for number in operation.inputs}
    used |= {number for _, numbers in recording.calls for number in numbers}
    for module, numbers in recording.returns:
        maker = recording.maker.get(numbers[0]) if numbers else None
        if id(module) in owners and maker is not None and not used & set(numbers):
            own = maker.stack[0].symbol if maker.stack else ""
            return next((place for place in maker.stack if place.symbol != own), None)
    return None


def _parts(model: nn.Module) -> frozenset[int]:
    """The modules that give nothing but positions, by identity."""
    found = {id(module) for _, module in computing(model)}
    for holder in holders(model):
        if not any(True for _ in holder.owner.children()) and holder.path:
            found.add(id(holder.owner))
    return frozenset(found)


def _last_receiver(steady: Steady, recording: Recording, derived: frozenset[int]) -> Place | None:
    """The innermost module of the user's that was given positions, by its forward."""
    for module, numbers in reversed(recording.calls):
        if derived & set(numbers) and id(module) not in _parts(recording.model):
            place = forward_place(type(module), steady.specimen.root)
            if place is not None:
                return place
    return None


def _owner_forward(steady: Steady, recording: Recording) -> FlowPlace | None:
    """The forward of the module of the user's that keeps the positions, or calls their module."""
    model, parts = recording.model, _parts(recording.model)
    called = {id(module) for module, _ in recording.calls}
    paths = [holder.path for holder in holders(model)] + [path for path, _ in computing(model)]
    for path in paths:
        while True:
            owner = model.get_submodule(path)
            users = not type(owner).__module__.startswith("torch.")
            if users and id(owner) in called and id(owner) not in parts:
                place = forward_place(type(owner), steady.specimen.root)
                if place is not None:
                    return flow_place(place, "forward")
            if not path:
                break
            path = path.rpartition(".")[0]
    return None
