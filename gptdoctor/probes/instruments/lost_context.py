"""Where what earlier tokens say is lost on its way to the last output."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.information import FlowPlace
from gptdoctor.probes.instruments.arguments import writes_in_place
from gptdoctor.probes.instruments.blame import (
    BATCH,
    flow_place,
    pair_of_inputs,
    record,
)
from gptdoctor.probes.instruments.leaks import differs, twins
from gptdoctor.probes.instruments.mask_origins import mask_place
from gptdoctor.probes.instruments.masks import Sight, plain_values, sights, value_count
from gptdoctor.probes.instruments.nearby_statements import (
    after_lost_result,
    is_discarded,
    next_copy,
    overwriting_copy,
)
from gptdoctor.probes.instruments.operations import SOFTMAX, Operation, Recording
from gptdoctor.probes.instruments.statements import forward_place
from gptdoctor.probes.instruments.steady import Steady
from gptdoctor.probes.instruments.texts import with_text
from gptdoctor.probes.instruments.uninitialised import empty_is_nan

TINY = 1e-12  # weights below it belong to what is hidden
EVEN = 1e-5  # rounding
# Names of weights that ask and tell in an attention.
_QUERY = re.compile(
    r"(?:to_?|w_?|c_?)?(?:q|k|qk|qkv|kv|query|queries|keys?|query_key_value)"
    r"(?:_?proj|_?weights?|_?w)?",
    re.IGNORECASE,
)
# What makes nothing of what it is given.
MULTIPLYING = frozenset({"mul", "mul_", "__mul__", "__rmul__", "__imul__", "multiply"})

SUMMING = frozenset({"add", "add_", "__add__", "__radd__", "__iadd__"})


def mixes(steady: Steady, length: int) -> bool:
    """Whether any operation brings earlier tokens to the last position."""
    return bool(_carriers(*_recordings(steady, length), length))


def lost_context(steady: Steady, length: int) -> FlowPlace | None:
    """The statement that loses what earlier tokens brought to the last position."""
    first, second = _recordings(steady, length)
    for sight in sights(first, length):
        if sight.pattern == "only itself":
            place = mask_place(sight, first, steady.specimen.root)
            return flow_place(place or sight.operation.place, sight.operation.name)
    carriers = _carriers(first, second, length)
    if carriers:
        return _dropped(first, carriers, steady.specimen.root)
    return never_called(steady) or _left_out(steady) or _dead_end(steady)


def unused_queries(steady: Steady) -> tuple[str, ...]:
    """The weights of queries and keys, by name, that no operation is given."""
    recording = record(steady, steady.specimen.inputs())
    return tuple(name for name, _ in _unused_queries(recording))


def _unused_queries(recording: Recording) -> Iterator[tuple[str, nn.Module]]:
    used = {(id(owner), name) for owner, name in recording.owners.values()}
    for path, module in recording.model.named_modules():
        for name, _ in module.named_parameters(recurse=False):
            if (id(module), name) not in used and any(map(_QUERY.fullmatch, (name, _last(path)))):
                yield f"{path}.{name}".lstrip("."), module


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _left_out(steady: Steady) -> FlowPlace | None:
    """The forward that keeps queries and keys and uses none; its statement that adds nothing."""
    recording = record(steady, steady.specimen.inputs())
    called = {id(module) for module, _ in recording.calls}
    for path, _ in _unused_queries(recording):
        place = _forward_around(path, recording.model, called, steady.specimen.root)
        if place is None:
            continue
        own = [
            each
            for each in recording.operations
            if each.place is not None and each.place.symbol == place.symbol
        ]
        nothing = (e for e in own if e.name in MULTIPLYING and not e.results[0].any())
        sums = (each for each in own if each.name in SUMMING)  # what was to be added belongs there
        found = next(nothing, None) or next(sums, None)
        return flow_place(found.place, found.name) if found else flow_place(place, "forward")
    return None


def _forward_around(path: str, model: nn.Module, called: set[int], root: str) -> Place | None:
    """The forward of the innermost module of the user's around a weight, if it was called."""
    while path:
        path = path.rpartition(".")[0]
        owner = model.get_submodule(path)
        place = forward_place(type(owner), root)
        if place is not None:
            return place if id(owner) in called else None
    return None


def _dead_end(steady: Steady) -> FlowPlace | None:
    """The last statement that makes something of the text that goes nowhere, or the copy behind it.

    Queries and keys that are computed and not compared, where the values alone are taken.
    """
    recording = record(steady, steady.specimen.inputs())
    plain = plain_values(recording)
    used = recording.used
    used |= {number for _, numbers in recording.returns for number in numbers}
    for operation in reversed(recording.operations):
        made = set(operation.outputs)
        if not made or made & used or made <= plain or writes_in_place(operation.name):
            continue
        if operation.place is not None:
            copy = next_copy(operation.place, steady.specimen.root)
            return flow_place(copy or operation.place, operation.name)
    return None


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
        copy = next_copy(last.place, root)
        before = copy is not None and (copy.line or 0) < (after.place.line or 0)
        return flow_place(copy if before else after.place, after.name)
    line = overwriting_copy(last.place, root)
    if line is not None:  # what is handed back is something else
        return flow_place(replace(last.place, line=line), "assignment")
    # It was handed back to a function that did not take it.
    going_on = {place.symbol for place in after.stack}
    caller = next((place for place in last.stack if place.symbol in going_on), None)
    line = after_lost_result(caller, root) if caller is not None else None
    if line is not None and caller is not None:
        return flow_place(replace(caller, line=line), "assignment")
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
    inputs = with_text(specimen, text, rows, steady.seed)
    for fact in specimen.construction.inputs:  # an encoder's text as well
        value = inputs.get(fact.name)
        if fact.kind == "ids" and fact.name != text.name and isinstance(value, Tensor):
            inputs[fact.name] = value[:1, :1].expand_as(value).contiguous()
    recording = record(steady, inputs)
    answers = [_is_even(sight) for sight in sights(recording, length)]
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
