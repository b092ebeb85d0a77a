"""Arguments that were given as numbers, since nothing told what else they are to be.

A parameter without a default or a telling type gets a size by its name.  Where the code then takes
the number for a list or a tensor, that is what it wants; and a crash is no fault of the code's.
"""

from __future__ import annotations

import inspect
import linecache
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

import torch

from gptdoctor.specimen.values import Written

Place = tuple[Callable[..., Any], str]  # a parameter of something that was made
Given = Mapping[Callable[..., Any], Mapping[str, Any]]
Frames = Sequence[tuple[FrameType, int]]  # innermost first, each with its line

_NUMBERS = (bool, int, float)
# How Python says that a number is taken for a list, and how many a list ought to have.
_SEVERAL = re.compile(
    r"'(?:int|float|bool)' object is not (?:iterable|subscriptable|reversible|a mapping)"
    r"|object of type '(?:int|float|bool)' has no len\(\)"
    r"|argument after \* must be an iterable, not (?:int|float|bool)"
    r"|argument #?\d+ must support iteration|'(?:int|float|bool)' is not iterable"
)
_UNPACKED = re.compile(r"values to unpack \(expected (?:at least )?(\d+)")
_USUAL = 3  # of what has no known number: enough for `first, *rest` and for an index of 2
# What is asked of a tensor, and of no number or list.
_OF_TENSORS = frozenset({"shape", "size", "dim", "ndim", "numel", "dtype", "device", "clone"})
# Word vectors, mostly: [V, D], of about the length that gives even scores at the start.
_TENSOR = "torch.arange(97 * 64).cos().view(97, 64) / 8"
_WORD = re.compile(r"[A-Za-z_]\w*")


def misjudged(error: BaseException, frames: Frames, given: Given) -> Place | None:
    """The argument that the error takes for something else than the number or list it is."""
    if not _tells_of_kind(error):
        return None
    known = dict(_open(given))
    for frame, line in frames:
        words = set(_WORD.findall(linecache.getline(frame.f_code.co_filename, line)))
        for place in known:
            if place[1] in words:
                return place
    return next(iter(known)) if len(known) == 1 else None


def other_kind(error: BaseException, value: Any) -> Written | None:
    """What to give instead of `value`; None: nothing tells."""
    number = value[0] if isinstance(value, list) else value
    count = _UNPACKED.search(str(error))
    if isinstance(value, list) and count is None:
        return None
    if isinstance(error, AttributeError):
        tensor = error.name in _OF_TENSORS
        return Written(torch.arange(97 * 64).cos().view(97, 64) / 8, _TENSOR) if tensor else None
    several = [number] * (_USUAL if count is None else int(count[1]))
    return Written(several, repr(several))


def _tells_of_kind(error: BaseException) -> bool:
    if isinstance(error, AttributeError):
        return isinstance(error.obj, _NUMBERS)
    if isinstance(error, TypeError):
        return _SEVERAL.search(str(error)) is not None
    return isinstance(error, ValueError) and _UNPACKED.search(str(error)) is not None


def _open(given: Given) -> Iterator[tuple[Place, Any]]:
    """The arguments that are numbers, or lists of them, for want of any word about them."""
    for made, values in given.items():
        parameters = inspect.signature(made).parameters
        for name, value in values.items():
            parameter = parameters.get(name)
            plain = isinstance(value, _NUMBERS) or (isinstance(value, list) and value)
            if parameter is not None and plain and not _is_told(parameter):
                yield (made, name), value


def _is_told(parameter: inspect.Parameter) -> bool:
    """Whether the signature itself says that a parameter is a number."""
    kind = parameter.annotation
    text = kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
    numeric = re.search(r"\b(?:int|float|bool)\b", text) is not None
    return numeric or parameter.default is not parameter.empty
