"""torch without its compiler: what is compiled runs as it was written."""

from __future__ import annotations

import contextlib
import importlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch


@contextlib.contextmanager
def without_compiler() -> Iterator[None]:
    """No compilation, and where `torch._dynamo` is not there yet, a stand-in that knows how not to.

    To compile code for tensors without data ends in a crash of the interpreter.  And torch imports
    its compiler, 0.9 s, to ask it how fake tensors are to be cached and that it stay away.
    """
    compile_, torch.compile = torch.compile, _uncompiled
    absent = "torch._dynamo" not in sys.modules
    try:
        if absent:
            _put_in_place(_stand_in())
        else:
            _stand_aside(True)
        yield
    finally:
        torch.compile = compile_
        if not absent:
            _stand_aside(False)
        elif isinstance(sys.modules.get("torch._dynamo"), _StandIn):
            _drop_stand_in()


def _uncompiled(model: Any = None, **_: Any) -> Any:
    return model if model is not None else lambda function: function


def _stand_aside(aside: bool) -> None:
    """Let what was compiled before run as it was written."""
    with contextlib.suppress(AttributeError, ValueError, RuntimeError):  # from torch 2.6 on
        torch.compiler.set_stance("force_eager" if aside else "default")


class _StandIn(types.ModuleType):
    """The compiler's package without its content, which is fetched for whoever wants more."""

    folder: str | None = None  # where `config` is found, while that is imported

    @property
    def __path__(self) -> Any:  # type: ignore[override]
        return [self.folder] if self.folder is not None else self._real().__path__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._real(), name)

    def _real(self) -> Any:
        _drop_stand_in()
        return importlib.import_module("torch._dynamo")


def _stand_in() -> _StandIn:
    module = _StandIn("torch._dynamo")

    def disable(function: Any = None, *_: Any, **__: Any) -> Any:
        return function if function is not None else lambda inner: inner

    module.disable = disable  # type: ignore[attr-defined]
    return module


def _put_in_place(module: _StandIn) -> None:
    sys.modules["torch._dynamo"] = module
    torch._dynamo = module
    module.folder = str(Path(torch.__file__).parent / "_dynamo")
    importlib.import_module("torch._dynamo.config")
    module.folder = None


def _drop_stand_in() -> None:
    for name in [each for each in sys.modules if each.startswith("torch._dynamo")]:
        del sys.modules[name]
    vars(torch).pop("_dynamo", None)
