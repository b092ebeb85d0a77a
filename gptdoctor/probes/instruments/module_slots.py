"""Modules of a library that fail, and what their constructor should have been told instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.crash_log import is_users
from gptdoctor.probes.instruments.definitions import made_at
from gptdoctor.probes.instruments.size_sources import Source
from gptdoctor.specimen.failures import FAILURES

Run = Callable[[nn.Module], object]


def blamed_module(
    model: nn.Module, failed: tuple[nn.Module, ...], run: Run, root: str
) -> Source | None:
    """The statement that made the innermost of the `failed` modules, where it was told wrongly.

    Its sizes are exchanged, or it takes the batch for the time: with that alone put right, in all
    modules that the statement makes, `run` no longer fails.  What is put right stays so.
    """
    strange = [one for one in failed if not is_users(one, root)]
    names = {id(module): name for name, module in model.named_modules()}
    if not strange or failed[-1] is not strange[-1] or id(strange[-1]) not in names:
        return None
    guilty, name = strange[-1], names[id(strange[-1])]
    place = made_at(model, name, root)
    kind = "batch-first" if _has_order(guilty) else "transposed-weight"
    mend = _other_order if _has_order(guilty) else _exchange
    if place is None or (not _has_order(guilty) and _weight(guilty) is None):
        return None
    weight = _weight(guilty)
    shape = () if weight is None else tuple(weight.shape)
    for each in list(_of_slot(model, name, type(guilty), place, root)):
        mend(each)
    try:
        with torch.no_grad():
            run(model)
    except FAILURES:
        return None
    return Source(place=place, kind=kind, operation=type(guilty).__name__, size=0, shape=shape)


def _of_slot(
    model: nn.Module, name: str, kind: type, place: Place, root: str
) -> Iterator[nn.Module]:
    """The modules of one class that the same statement makes in all instances of its owner."""
    tail = _tail(name)
    for other, module in model.named_modules():
        alike = type(module) is kind and _tail(other) == tail
        if alike and made_at(model, other, root) == place:
            yield module


def _tail(name: str) -> tuple[str, ...]:
    """The last name in a path, with the numbers that come after it."""
    parts = name.split(".")
    for index in range(len(parts) - 1, -1, -1):
        if not parts[index].isdigit():
            return tuple(parts[index:])
    return tuple(parts)


def _has_order(module: nn.Module) -> bool:
    """Whether a module can be told which dimension is the batch."""
    return type(getattr(module, "batch_first", None)) is bool


def _other_order(module: nn.Module) -> None:
    for part in module.modules():
        if _has_order(part):
            vars(part)["batch_first"] = not part.batch_first


def _weight(module: nn.Module) -> nn.Parameter | None:
    """The one matrix of a layer that has nothing else but a bias."""
    own = dict(module.named_parameters(recurse=False))
    matrices = [one for one in own.values() if one.dim() == 2]
    plain = all(one.dim() < 3 for one in own.values()) and len(own) <= 2
    return matrices[0] if plain and len(matrices) == 1 else None


def _exchange(module: nn.Module) -> None:
    """Exchange the two sizes of a layer, in its matrix, its bias and the numbers it keeps."""
    weight = _weight(module)
    if weight is None:
        return
    sizes = tuple(weight.shape)
    other = {sizes[0]: sizes[1], sizes[1]: sizes[0]}
    for name, one in list(module.named_parameters(recurse=False)):
        changed = one.detach().t() if one.dim() == 2 else one.detach().new_zeros(other[len(one)])
        setattr(module, name, nn.Parameter(changed.contiguous()))
    for name, value in list(vars(module).items()):
        if type(value) is int and value in other:
            setattr(module, name, other[value])
