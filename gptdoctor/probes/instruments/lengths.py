"""Lengths of text that cross every window and chunk of a model, and fit into its context."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from gptdoctor.probes.instruments.steady import Steady
from gptdoctor.probes.instruments.texts import with_text
from gptdoctor.probes.probe import Abstention
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.sizes import role_of

SHORT = (7, 5, 8)  # the first that works; a prime is unlike the other sizes
LONG = 23  # where no window is known: longer than most constants of a tiny model
LONGEST = 96  # a forward pass of this length still takes milliseconds
_WINDOW = re.compile(r"window|chunk|segment|bucket|block_(?:size|len)|local_(?:size|len|attn)")


def sizes_by_role(model: nn.Module, role: str) -> frozenset[int]:
    """The whole numbers above 1 that modules and configurations keep under a name of this role."""
    return frozenset(
        value
        for name, value in named_values(model)
        if type(value) is int and value > 1 and role_of(name) == role
    )


def named_values(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """All attributes of the user's modules, and the fields of the configurations that they hold."""
    seen: set[int] = set()
    for module in model.modules():
        if type(module).__module__.startswith("torch."):
            continue
        for name, value in vars(module).items():
            if name.startswith("_") and name not in ("_attn_implementation",):
                continue
            yield name, value
            if id(value) not in seen and not isinstance(value, nn.Module | torch.Tensor):
                seen.add(id(value))
                yield from _fields(value)


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a configuration; nothing of what is none."""
    if isinstance(value, Mapping):
        yield from ((name, each) for name, each in value.items() if isinstance(name, str))
    elif hasattr(value, "__dict__") and not callable(value):
        yield from vars(value).items()


def lengths_for(steady: Steady) -> tuple[int, ...]:
    """A short and a long length at which the model gives outputs for each position, or for all.

    The long one is beyond twice the widest window.  Raises Abstention where no length works.
    """
    short = _first_working(steady, (*SHORT, steady.specimen.construction.length))
    if short is None:
        raise Abstention("no two lengths of text could be compared")
    long = _first_working(steady, tuple(_long_ones(steady.model, short)))
    return (short,) if long is None else (short, long)


def _long_ones(model: nn.Module, short: int) -> Iterator[int]:
    """Candidates for the long length, best first."""
    contexts = sorted(size for size in sizes_by_role(model, "context") if size >= short)
    longest = min(LONGEST, *contexts[-1:], LONGEST)
    windows = {*sizes_by_role(model, "window"), *_named_windows(model), *contexts[:-1]}
    widest = max((size for size in windows if 2 * size <= longest), default=0)
    wanted = [2 * widest + 3, 2 * widest] if widest else []
    wanted += [LONG, 16, longest, longest - 1, short + 4, short + 1, 2 * short]
    yield from dict.fromkeys(size for size in wanted if short < size <= longest)


def _named_windows(model: nn.Module) -> Iterator[int]:
    """What else is called a window, a chunk or a block."""
    for name, value in named_values(model):
        if type(value) is int and value > 1 and _WINDOW.search(name):
            yield value


def _first_working(steady: Steady, lengths: tuple[int, ...]) -> int | None:
    """The first length at which the call runs and gives as many positions, or one."""
    refusal: Abstention | None = None
    for length in lengths:
        if length < 2:
            continue
        try:
            if works_at(steady, length):
                return length
        except Abstention as abstention:
            refusal = refusal or abstention
    if refusal is not None and lengths[0] in SHORT:
        raise refusal
    return None


def works_at(steady: Steady, length: int) -> bool:
    """Whether one row of this length runs, or the usual batch where one row alone does not."""
    text, specimen = steady.text, steady.specimen
    for count in (2, max(specimen.construction.batch, 1)):
        try:
            inputs = specimen.make_inputs(count, length, steady.seed)
            rows = text.rows(inputs[text.name])
            found = steady.outputs(with_text(specimen, text, rows, steady.seed))
        except FAILURES as error:
            if isinstance(error, Abstention):
                raise
            continue
        if found.shape[1] in (1, length):
            return True
    return False
