"""Where what tells positions is lost on its way to the outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.information import FlowPlace
from gptdoctor.probes.instruments.blame import flow_place, free_values, record
from gptdoctor.probes.instruments.lost_context import MULTIPLYING
from gptdoctor.probes.instruments.masks import plain_values, value_count
from gptdoctor.probes.instruments.nearby_statements import (
    copy_of_result,
    return_place,
)
from gptdoctor.probes.instruments.nearby_text import idle_line
from gptdoctor.probes.instruments.noticed import is_run
from gptdoctor.probes.instruments.operations import Operation, Recording
from gptdoctor.probes.instruments.positions import computing, holders
from gptdoctor.probes.instruments.statements import forward_place
from gptdoctor.probes.instruments.steady import Steady
from gptdoctor.probes.instruments.unused_angles import angles, known_length


def zeroed_positions(steady: Steady) -> Operation | None:
    """The operation that multiplies by zero what differs from position to position.

    Comparisons are none: they make masks.  Nor is a division, which counts chunks.
    """
    inputs = steady.specimen.inputs()
    if not is_run(steady, inputs, _makes_zeros):
        return None
    length = known_length(steady)
    recording = record(steady, inputs)
    plain = plain_values(recording)
    for operation in recording.operations:
        if operation.place is None or operation.name not in MULTIPLYING:
            continue
        given = [n for n in operation.inputs if n in plain and length in recording.values[n].shape]
        varied = any(value_count(recording.values[number]) > 1 for number in given)
        made = [each for each in operation.results if length in each.shape]
        if varied and made and not any(each.any() for each in made):
            return operation
    return None


def zeroes_positions(name: str, args: tuple[Any, ...], result: Any, length: int) -> bool:
    """Whether an operation multiplies by zero what differs along `length` positions.

    Of numbers without a gradient, as distances and angles are.
    """
    if name not in MULTIPLYING or not isinstance(result, Tensor) or result.requires_grad:
        return False
    given = [each for each in args if isinstance(each, Tensor) and length in each.shape]
    varied = any(bool((each != each.flatten()[0]).any()) for each in given if each.numel())
    return varied and length in result.shape and not bool(result.any())


def _makes_zeros(name: str, args: tuple[Any, ...], result: Any) -> bool:
    return name in MULTIPLYING and isinstance(result, Tensor) and not bool(result.any())


def lost_positions(steady: Steady) -> FlowPlace | None:
    """Where what holds positions is read, or else the forward that does nothing with it."""
    zeroed = zeroed_positions(steady)
    if zeroed is not None:
        return flow_place(zeroed.place, zeroed.name)
    recording = record(steady, steady.specimen.inputs())
    kept = {(id(one.owner), one.name.rpartition(".")[2]) for one in holders(recording.model)}
    start = {
        number for number, (owner, name) in recording.owners.items() if (id(owner), name) in kept
    }
    parts = _parts(recording.model)
    for module, numbers in recording.returns:
        start |= set(numbers) if id(module) in parts else set()
    turning = () if start else angles(recording, known_length(steady))
    start |= {number for one in turning for number in one.outputs}
    derived = recording.derived_from(start) & free_values(recording)
    receiver = (
        _gives_back_its_input(steady, recording)
        or _last_receiver(steady, recording, derived)
        or _given_back(recording, kept)
    )
    if receiver is not None:
        return flow_place(receiver, "forward")
    used = recording.used
    for operation in recording.operations:
        place = operation.place
        if start & set(operation.inputs) and place is not None:
            if not used.intersection(operation.outputs):  # read, and left there
                place = (
                    _copy_of_text(steady, recording, place)
                    or _taker_of_text(steady, recording, operation)
                    or place
                )
            return flow_place(place, operation.name)
    if turning:  # who asked for them, of a function of their own, or who computes them
        return flow_place(turning[0].stack[:2][-1], turning[0].name)
    return _owner_forward(steady, recording)


def _gives_back_its_input(steady: Steady, recording: Recording) -> Place | None:
    """The return of a module of positions that hands on what it was given, as it was."""
    parts = _parts(recording.model)
    given = {id(module): numbers for module, numbers in recording.calls if id(module) in parts}
    for module, numbers in recording.returns:
        if set(numbers) & set(given.get(id(module), ())):
            place = forward_place(type(module), steady.specimen.root)
            return None if place is None else return_place(place, steady.specimen.root)
    return None


def _looked_up(steady: Steady, recording: Recording, forward: Place) -> Place | None:
    """The statement of a function in which the text is looked up."""
    lookup = _lookup(steady, recording)
    for place in lookup.stack if lookup is not None else ():
        if (place.path, place.symbol) == (forward.path, forward.symbol):
            return place
    return None


def _taker_of_text(steady: Steady, recording: Recording, read: Operation) -> Place | None:
    """The statement that takes the text as it was looked up, in the function of a read.

    Positions that were read before it are missing there.
    """
    lookup = _lookup(steady, recording)
    symbol = read.place.symbol if read.place is not None else ""
    for operation in recording.operations[recording.operations.index(read) + 1 :]:
        if lookup is not None and set(lookup.outputs) & set(operation.inputs):
            return next((place for place in operation.stack if place.symbol == symbol), None)
    return None


def _lookup(steady: Steady, recording: Recording) -> Operation | None:
    """The first look-up of what the text is, or of another form of it."""
    given = (number for number, name in recording.given.items() if name == steady.text.name)
    text = recording.derived_from(given)
    lookups = (each for each in recording.operations if each.name == "embedding")
    return next((each for each in lookups if text & set(each.inputs)), None)


def _copy_of_text(steady: Steady, recording: Recording, forward: Place) -> Place | None:
    """The statement that hands on what was looked up, and adds nothing to it."""
    place = _looked_up(steady, recording, forward)
    return None if place is None else copy_of_result(place, steady.specimen.root)


def _without_positions(steady: Steady, recording: Recording, forward: Place) -> Place:
    """The statement to which positions should have been added, or the function."""
    text = _copy_of_text(steady, recording, forward) or _looked_up(steady, recording, forward)
    if text is not None:
        return text
    idle = idle_line(return_place(forward, steady.specimen.root), steady.specimen.root)
    return replace(forward, line=idle) if idle is not None else forward


def _given_back(recording: Recording, kept: set[tuple[int, str]]) -> Place | None:
    """Who called the user's module of positions and made nothing of what it gave back."""
    owners = {owner for owner, _ in kept}
    used = recording.used
    used |= {number for _, numbers in recording.calls for number in numbers}
    for module, numbers in recording.returns:
        maker = recording.maker.get(numbers[0]) if numbers else None
        if type(module).__module__.startswith("torch."):
            continue  # a table: its read is an operation of the user's own function
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
                    return flow_place(_without_positions(steady, recording, place), "forward")
            if not path:
                break
            path = path.rpartition(".")[0]
    return None
