"""Errors that tell of where a file runs, rather than of what is wrong with it."""

from __future__ import annotations

import ast
import os

from gptdoctor.core.accelerators import demanded_in, device_in
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.source.top_level import mentions
from gptdoctor.specimen.places import innermost
from gptdoctor.specimen.stand_in import RefusedError

# A file, a host or a terminal that is not there; `exit()` in the middle of a script.
_OUTSIDE = (OSError, EOFError, SystemExit, RefusedError)
_WINDOWS = frozenset({"_tkinter", "tkinter", "pygame", "pyglet", "turtle"})


def comes_from_outside(error: BaseException, node: ast.stmt) -> bool:
    """Whether `error`, which ended the statement `node`, may not arise on another machine."""
    if isinstance(error, _OUTSIDE) or device_in(str(error)) is not None:
        return True
    if isinstance(error, AssertionError):
        return isinstance(node, ast.Assert)  # a demand that nothing else relies on
    if type(error).__module__.partition(".")[0] in _WINDOWS:
        return True
    if isinstance(error, KeyError):
        # a variable of the environment; Python freezes this module of its own
        frame = innermost(error)
        return frame is not None and frame.f_code.co_filename in (os.__file__, "<frozen os>")
    if isinstance(error, IndexError | ValueError):
        return mentions(node, "argv") or mentions(node, "environ")
    return isinstance(node, ast.If | ast.Raise) and demanded_in(str(error)) is not None


def lacking(error: BaseException, crash: Crash) -> str:
    """What this machine lacks, where `error` says so: "CUDA (model.py:12: ...)"; else ""."""
    text = str(error)
    device = demanded_in(text) if crash.raised_there else device_in(text)
    if device is None:
        return ""
    first = crash.message.strip().splitlines()[0]
    place = f"{crash.path}:{crash.line}: " if crash.path else ""
    return f"{device} ({place}{first})"
