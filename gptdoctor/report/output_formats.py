"""The output formats, found by walking `formats/`, each loaded when it is asked for."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from typing import TextIO

from gptdoctor.core.errors import UsageError
from gptdoctor.report import formats
from gptdoctor.report.checked import Checked

Writer = Callable[[Checked, TextIO], None]


@cache
def format_names() -> tuple[str, ...]:
    """The names that `--output-format` takes."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(formats.__path__)))


def require_format(word: str) -> str:
    """The format of this name; raises UsageError, with the nearest one, where there is none."""
    name = word.strip().lower()
    if name in format_names():
        return name
    near = get_close_matches(name, format_names(), n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    raise UsageError(
        f"there is no output format {word!r}{guess}",
        hint=f"the formats are {', '.join(format_names())}",
    )


def writer_of(name: str) -> Writer:
    """What writes the format of this name."""
    module = importlib.import_module(f"{formats.__name__}.{name}")
    write: Writer = module.write
    return write
