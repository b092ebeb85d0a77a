"""What torch imports to run tensors without data: once for many children, and out of sight.

sympy takes 0.4 s.  A child that found it loaded would not be the plain process that the user's file
is examined in, so it lies aside until the copy of the child that needs it takes it back.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress
from types import ModuleType

_NEEDED = "sympy"

_aside: dict[str, ModuleType] = {}


def import_aside() -> None:
    """Import it, unless it is loaded, and hide every module that came with it."""
    if _aside or _NEEDED in sys.modules:
        return
    before = set(sys.modules)
    with suppress(Exception):  # torch tells what is wrong with it, where it is needed
        importlib.import_module(_NEEDED)
        _aside.update({name: sys.modules[name] for name in set(sys.modules) - before})
    for name in set(sys.modules) - before:
        del sys.modules[name]


def bring_back() -> None:
    """Let it be found again, unless the user's file has loaded what has this name for it."""
    if _NEEDED not in sys.modules:
        sys.modules.update(
            {name: module for name, module in _aside.items() if name not in sys.modules}
        )
