"""Where the user's code has switched the recording of gradients off, around what runs now."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from types import FrameType

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.loaded_text import covers, tree_of_file
from gptdoctor.specimen.places import project_path, symbol_of

SWITCHES = ("no_grad", "inference_mode", "set_grad_enabled")


def region_place(frame: FrameType | None, root: str) -> Place | None:
    """The innermost `with` or decorator of the user's around what runs in `frame`."""
    while frame is not None:
        path = project_path(frame.f_code.co_filename, root)
        if path is not None:
            line = _switch_around(frame.f_code.co_filename, frame.f_lineno)
            if line is not None:
                return Place(path=path, symbol=symbol_of(frame.f_code), line=line)
        frame = frame.f_back
    return None


@lru_cache(maxsize=64)
def _switch_around(filename: str, line: int) -> int | None:
    """The line of the innermost switch around a line of a file."""
    tree = tree_of_file(filename)
    found = [
        (node.lineno, switch)
        for node in ast.walk(tree)
        if isinstance(node, ast.With | ast.FunctionDef | ast.AsyncFunctionDef)
        and covers(node, line)
        for switch in _switches(node)
    ]
    return max(found)[1] if found else None


def _switches(node: ast.With | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[int]:
    """The lines on which a statement switches gradients off for all that is in it."""
    if isinstance(node, ast.With):
        parts = [item.context_expr for item in node.items]
    else:
        parts = node.decorator_list
    for part in parts:
        if any(name in ast.unparse(part) for name in SWITCHES):
            yield part.lineno
