"""Where in the user's project an operation that we watch was called."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import CodeType, FrameType

import torch.utils._contextlib

from gptdoctor.core.findings import Place
from gptdoctor.specimen.places import project_path, symbol_of

_OURS = str(Path(__file__).parent)
# Frames between a user's line and what it calls: ours, and those of context managers.
_BETWEEN = frozenset({contextlib.__file__, torch.utils._contextlib.__file__})
# A line of running code, cheaper to keep than a place: of thousands few are told.
Line = tuple[CodeType, int]


def user_line(frame: FrameType | None, root: str) -> Line | None:
    """The innermost line of the user's on the stack that ends in `frame`, through other code."""
    while frame is not None:
        if project_path(frame.f_code.co_filename, root) is not None:
            return frame.f_code, frame.f_lineno
        frame = frame.f_back
    return None


def calling_place(frame: FrameType | None, root: str) -> Place | None:
    """The place that called what runs in `frame`; None where that is not the user's own code.

    Code of torch or of another library on the way is not looked through: what it does inside
    is its own affair.
    """
    while frame is not None and _between(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None:
        return None
    path = project_path(frame.f_code.co_filename, root)
    if path is None:
        return None
    return Place(path=path, symbol=symbol_of(frame.f_code), line=frame.f_lineno)


def _between(filename: str) -> bool:
    return filename in _BETWEEN or filename.startswith(_OURS)
