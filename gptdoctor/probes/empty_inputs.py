"""Probe empty-inputs: what a module answers when it is given nothing."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from gptdoctor.core.measurements.empty_inputs import EmptyCall, EmptyInputs
from gptdoctor.probes.probe import Probe
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.places import crash_of, project_path, symbol_of
from gptdoctor.specimen.roles import Slot, is_state, signature_of, slots_of
from gptdoctor.specimen.specimen import Specimen

# Things that are computed from, unlike masks, positions, labels and caches.
_SOURCES = frozenset({"ids", "image", "audio", "features", "other"})
# What may be given in the place of ids, where those have been looked up already.
_EMBEDDED = re.compile(r"(?:decoder_)?inputs?_embeds?")
_LIST = re.compile(
    r"(?:typing\.)?(?:list|List|Sequence|Iterable|tuple|Tuple|dict|Dict|Mapping)\b.*"
)


def empty_arguments(slots: tuple[Slot, ...]) -> dict[str, Any] | None:
    """The arguments of a call with nothing in it; None where that is no call that could be made.

    It could where at least two inputs are optional and no input is required, or where the
    required ones are lists, which can be empty.
    """
    required = [slot for slot in slots if slot.required]
    if required:
        lists = all(_LIST.match(slot.annotation) for slot in required)
        return {slot.name: _empty(slot.annotation) for slot in required} if lists else None
    sources = [slot for slot in slots if _is_source(slot)]
    return {} if len(sources) > 1 else None


def _is_source(slot: Slot) -> bool:
    if slot.spread or slot.kind not in _SOURCES:
        return False
    if _EMBEDDED.fullmatch(slot.name):
        return True
    return slot.kind != "other" or not is_state(slot.name)


def _empty(annotation: str) -> list[Any] | dict[str, Any]:
    return {} if "ict" in annotation or "Mapping" in annotation else []


def _entries(specimen: Specimen, model: nn.Module) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The entry of the model, and `forward` of one module of each other class; each as code."""
    seen: set[type] = set()
    for path, module in model.named_modules():
        if type(module) not in seen:
            seen.add(type(module))
            name = specimen.target.entry if module is model else "forward"
            if hasattr(module, name):
                owner = f"model.get_submodule({path!r})" if path else "model"
                yield f"{owner}.{name}", signature_of(module, name)


def _call(specimen: Specimen, called: str, entry: Callable[..., Any]) -> EmptyCall | None:
    """The call of one method of the user's with nothing, where such a call can be made."""
    code = getattr(inspect.unwrap(entry), "__code__", None)
    path = None if code is None else project_path(code.co_filename, specimen.root)
    if code is None or path is None:
        return None
    slots = slots_of(entry)
    arguments = empty_arguments(slots)
    if arguments is None:
        return None
    crash, returned = None, ""
    try:
        specimen.reseed()
        with torch.no_grad():
            returned = type(entry(**arguments)).__name__
    except FAILURES as error:
        crash = crash_of(error, specimen.root, "forward")
    return EmptyCall(
        path=path,
        symbol=symbol_of(code),
        line=code.co_firstlineno,
        inputs=tuple(slot.name for slot in slots if slot.kind != "flag"),
        outcome="returned" if crash is None else "raised",
        returned=returned,
        crash=crash,
        call=f"{called}({', '.join(f'{name}={value}' for name, value in arguments.items())})",
    )


def measure(specimen: Specimen) -> EmptyInputs:
    """All calls with nothing that the modules of this model allow."""
    calls = (_call(specimen, *entry) for entry in _entries(specimen, specimen.copy()))
    return EmptyInputs(calls=tuple(call for call in calls if call is not None))


PROBE = Probe(name="empty-inputs", order=40, measure=measure)
