"""Functions that are given a tensor and do nothing with it."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from functools import cache
from types import CodeType, FrameType

from torch import Tensor

from gptdoctor.core.findings import Place
from gptdoctor.specimen.places import project_path, symbol_of


def unread_tensors(frame: FrameType | None, root: str) -> Iterator[tuple[Place, Tensor]]:
    """The tensors that the user's functions on a stack were given and have no word for.

    Innermost first, each with the line at which its function stands.
    """
    while frame is not None:
        path = project_path(frame.f_code.co_filename, root)
        for name in _unread(frame.f_code) if path is not None else ():
            value = frame.f_locals.get(name)
            if isinstance(value, Tensor) and path is not None:
                yield Place(path=path, symbol=symbol_of(frame.f_code), line=frame.f_lineno), value
        frame = frame.f_back


@cache  # asked at each operation of a block
def _unread(code: CodeType) -> frozenset[str]:
    """The parameters that a function never reads."""
    given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    lines = dis.get_instructions(code)
    read = {part for line in lines if line.opname.startswith("LOAD") for part in _names(line)}
    return frozenset(given) - read


def _names(line: dis.Instruction) -> tuple[str, ...]:
    """The names in an instruction: newer Pythons read two at once."""
    named = line.argval
    return named if isinstance(named, tuple) else (str(named),)
