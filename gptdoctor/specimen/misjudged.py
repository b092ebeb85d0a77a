"""Arguments that were given as numbers, since nothing told what else they are to be.

A parameter without a default or a telling type gets a size by its name.  Where the code then takes
the number for a list or a tensor, that is what it wants; and a crash is no fault of the code's.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType, SimpleNamespace
from typing import Any

import torch

from gptdoctor.specimen.demands import parsed
from gptdoctor.specimen.values import Written

Place = tuple[Callable[..., Any], str]  # a parameter of something that was made
Given = Mapping[Callable[..., Any], Mapping[str, Any]]
Frames = Sequence[tuple[FrameType, int]]  # innermost first, each with its line

_NUMBERS = (bool, int, float)
# How Python says that a number is taken for a list, and how many a list ought to have.
_SEVERAL = re.compile(
    r"'(?:int|float|bool)' object is not (?:iterable|subscriptable|reversible|a mapping)"
    r"|cannot unpack non-iterable (?:int|float|bool) object"
    r"|object of type '(?:int|float|bool)' has no len\(\)"
    r"|argument after \* must be an iterable, not (?:int|float|bool)"
    r"|argument #?\d+ must support iteration|'(?:int|float|bool)' is not iterable"
)
_UNPACKED = re.compile(r"values to unpack \(expected (?:at least )?(\d+)")
_USUAL = 3  # of what has no known number: enough for `first, *rest` and for an index of 2
# What is asked of a tensor, and of no number or list.
OF_TENSORS = frozenset({"shape", "size", "dim", "ndim", "numel", "dtype", "device", "clone"})
# Word vectors, mostly: [V, D], of about the length that gives even scores at the start.
_TENSOR = "torch.arange(97 * 64).cos().view(97, 64) / 8"
# Of Python's own functions, those that want several.
_TAKING = frozenset(
    {
        *("len", "zip", "enumerate", "map", "list", "tuple", "sum", "max", "min", "sorted"),
        *("reversed", "iter", "set", "any", "all"),
    }
)


def misjudged(error: BaseException, frames: Frames, given: Given) -> Place | None:
    """The argument that the error takes for something else than the number or list it is."""
    if not _tells_of_kind(error):
        return None
    known = dict(_open(given))
    for frame, line in frames:
        words = set(_taken_apart(frame, line, getattr(error, "name", None)))
        for place in known:
            if place[1] in words:
                return place
    return next(iter(known)) if len(known) == 1 else None


def _taken_apart(frame: FrameType, line: int, attribute: str | None) -> Iterator[str]:
    """The names at a line of which parts are taken: elements, the number of them, `attribute`."""
    text = "".join(linecache.getlines(frame.f_code.co_filename, frame.f_globals))
    for node in ast.walk(parsed(text) or ast.Module([], [])):
        first, last = getattr(node, "lineno", line), getattr(node, "end_lineno", line)
        if not first <= line <= last or isinstance(node, ast.ClassDef | ast.FunctionDef):
            continue
        for part in _parts(node, attribute):
            yield from (one.id for one in [part] if isinstance(one, ast.Name))


def _parts(node: ast.AST, attribute: str | None) -> Iterator[ast.AST | None]:
    """What a node takes apart."""
    if isinstance(node, ast.Attribute) and node.attr == attribute:
        yield node.value
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        yield from (one.iter for one in node.generators)
    elif isinstance(node, ast.For):
        yield node.iter
    elif isinstance(node, ast.Subscript | ast.Starred):
        yield node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        yield from node.args if node.func.id in _TAKING else ()
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple | ast.List):
        yield node.value
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        yield node.comparators[0]


def other_kind(error: BaseException, value: Any) -> Written | None:
    """What to give instead of `value`; None: nothing tells."""
    number = value[0] if isinstance(value, list) else value
    count = _UNPACKED.search(str(error))
    if isinstance(value, list) and count is None:
        return None
    if isinstance(error, AttributeError):
        return word_vectors() if error.name in OF_TENSORS else None
    several = [number] * (_USUAL if count is None else int(count[1]))
    return Written(several, repr(several))


def may_be_of_guess(error: BaseException, given: Given) -> bool:
    """Whether an error may come of what a configuration of ours holds: numbers, mostly."""
    held = (value for values in given.values() for value in values.values())
    return _tells_of_kind(error) and any(isinstance(one, SimpleNamespace | dict) for one in held)


def is_tensor(hint: Any) -> bool:
    """Whether a parameter's type is a tensor, and nothing else."""
    return hint is torch.Tensor


def word_vectors() -> Written:
    """What a tensor that a constructor is given mostly is."""
    return Written(torch.arange(97 * 64).cos().view(97, 64) / 8, _TENSOR)


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
