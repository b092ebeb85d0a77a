"""What `tests.ready.server` becomes for plain Python: it has imported nothing of ours."""

from __future__ import annotations

import importlib
import runpy
import sys
from types import ModuleType


def import_all() -> None:
    """What takes long."""
    for name in ("torch", "numpy.random", "pytest"):
        importlib.import_module(name)


def run(words: list[str]) -> None:
    """`python -m MODULE WORDS` or `python -c CODE`."""
    how, what, *more = words
    sys.path.insert(0, "")
    sys.argv[:] = [how, *more]
    if how == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
        return
    main = sys.modules["__main__"] = ModuleType("__main__")
    exec(compile(what, "<string>", "exec"), vars(main))
