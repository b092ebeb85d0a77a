"""Modules and parameters that no operation was given, and whether any text reads them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from torch import nn

from gptdoctor.core.measurements.gradient_flow import UnusedPart
from gptdoctor.probes.instruments.attribute_text import assigned_at, is_read

_LISTS = (nn.ModuleList, nn.ModuleDict, nn.Sequential, nn.ParameterList, nn.ParameterDict)


def unused_parts(model: nn.Module, untouched: Collection[str], root: str) -> Iterator[UnusedPart]:
    """The largest modules all of whose parameters are among `untouched`, and single parameters.

    Members of lists are left out: which of them work is decided while the model runs.
    """
    left = set(untouched)
    for name, module in model.named_modules():
        inside = {f"{name}.{each}" if name else each for each, _ in module.named_parameters()}
        if name and inside and inside <= left:
            left -= inside
            yield from _part(model, name, tuple(sorted(inside)), root)
    for name in sorted(left):
        yield from _part(model, name, (name,), root)


def _part(
    model: nn.Module, name: str, parameters: tuple[str, ...], root: str
) -> Iterator[UnusedPart]:
    prefix, _, attribute = name.rpartition(".")
    owner = model.get_submodule(prefix)
    if isinstance(owner, _LISTS):
        return
    assignment = assigned_at(owner, attribute, root)
    held = dict(model.named_parameters())
    yield UnusedPart(
        name=name,
        parameters=parameters,
        numbers=sum(held[each].numel() for each in parameters if each in held),
        path="" if assignment is None else assignment.place.path,
        symbol="" if assignment is None else assignment.place.symbol,
        line=0 if assignment is None else assignment.place.line or 0,
        # an attribute that no text sets was set by another's code, which may read it as well
        named=assignment is None or is_read(owner, attribute, root),
    )
