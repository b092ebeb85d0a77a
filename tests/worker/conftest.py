"""What the tests of the worker share: models written to a folder, and requests for them."""

from __future__ import annotations

import builtins
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import indent

import pytest

from gptdoctor.core.specimens import ExamineRequest, ModelTarget

# A language model that anything can build.  What a test wants of it is put in front.
HEALTHY = """\
import torch
from torch import nn

class Tiny(nn.Module):
    def __init__(self, vocab_size=32, dim=16):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, dim)
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        return self.head(self.embed(ids))
"""
# No probe has this name: import and construction alone are examined.
NO_PROBES = ("none",)

MakeRequest = Callable[..., ExamineRequest]


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write files below a folder."""
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def defining(text: str) -> str:
    """Code that runs `text` because a class needs it."""
    return f"def work():\n{indent(text, '    ')}\nclass Works:\n    work()\n"


def request_for(root: Path, path: str, **named: object) -> ExamineRequest:
    """A request to examine the class `Tiny` of a file."""
    fields = {"seed": 0, "timeout_seconds": 20.0, "probes": NO_PROBES} | named
    target = ModelTarget(path=path, name="Tiny", line=1, end_line=1, entry="forward")
    return ExamineRequest(target=target, root=str(root), **fields)  # type: ignore[arg-type]


@pytest.fixture
def same_process(tmp_path: Path) -> Iterator[None]:
    """Puts this process right again after user code of `tmp_path` was loaded into it."""
    path, argv, finders = list(sys.path), list(sys.argv), list(sys.meta_path)
    importer, state = builtins.__import__, random.getstate()
    yield
    sys.path[:], sys.argv[:], sys.meta_path[:] = path, argv, finders
    builtins.__import__ = importer
    random.setstate(state)
    gone = [name for name, module in sys.modules.items() if lies_in(module, tmp_path)]
    for name in gone:  # afterwards: a namespace package asks its parent where it lies
        del sys.modules[name]


def lies_in(module: object, folder: Path) -> bool:
    """Whether a module's file or one of its folders is in `folder`."""
    known = getattr(module, "__dict__", {})
    places = [known.get("__file__"), *(known.get("__path__") or ())]
    return any(str(place).startswith(str(folder)) for place in places)
