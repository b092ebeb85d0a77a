"""Models of notebook cells, of Python's prompt, and of text that nobody kept."""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Iterator
from typing import Any

import pytest

import gptdoctor
from gptdoctor.core.diagnosis import Verdict
from gptdoctor.integrations.shown import ShownExamination

IMPORTS = "import torch\nimport torch.nn as nn\n"
BLOCK = """class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(16, 16)

    @torch.no_grad()
    def forward(self, x):
        return x + self.fc(x)
"""
MODEL = """
class CellLM(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(31, 16)
        self.block = Block()
        self.head = nn.Linear(16, 31)

    def forward(self, ids):
        return self.head(self.block(self.emb(ids)))
"""
CRASH = """class CrashLM(CellLM):
    def forward(self, ids):
        return self.head(self.emb(ids).view(2, 3, 5))
"""
_FILES = itertools.count()


@pytest.fixture
def names() -> Iterator[list[str]]:
    """The names that Python's prompt gives to what is typed; forgotten afterwards."""
    used: list[str] = []
    yield used
    for name in used:
        linecache.cache.pop(name, None)


def run(cells: tuple[str, ...], names: list[str], *, kept: bool = True) -> dict[str, Any]:
    """Execute cells one after another in one namespace, as an interactive session does."""
    space: dict[str, Any] = {"__name__": "__main__"}
    for number, text in enumerate(cells):
        name = f"<python-input-{number}>" if kept else "<string>"
        if kept:
            linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
            names.append(name)
        exec(compile(text, name, "exec"), space)
    return space


def examined(model: Any) -> ShownExamination:
    """What the probes that tell a cut say of a model."""
    probes = ("gradient-flow", "learning", "shapes", "backward")
    return gptdoctor.Examiner(probes=probes).examine(model)


def test_findings_name_the_cell_and_its_line(names: list[str]) -> None:
    """The cells are read together: the imports of the first serve the class in the second."""
    space = run((IMPORTS, BLOCK, MODEL), names)
    found = examined(space["CellLM"]())
    (cut,) = (one for one in found.findings if one.rule == "GD101")
    assert cut.location.words == "session.ipynb:cell 2:6"
    assert cut.evidence.status.value == "confirmed"
    assert cut.fix is not None
    assert cut.fix.applicability.value == "display"
    (model,) = found.models
    assert model.in_cell is not None
    assert (model.in_cell.cell, model.in_cell.line) == (3, 2)
    assert any("session.ipynb:cell 2:6" in reason for reason in model.reasons)


def test_what_an_older_cell_said_of_a_class_is_past(names: list[str]) -> None:
    """A cell that was run again counts with its new text."""
    healed = BLOCK.replace("    @torch.no_grad()\n", "")
    space = run((IMPORTS, BLOCK, healed, MODEL), names)
    found = examined(space["CellLM"]())
    assert not [one for one in found.findings if one.rule == "GD101"]
    assert found.trainable


def test_a_crash_in_a_cell_is_named(names: list[str]) -> None:
    """Where the code failed, by cell."""
    space = run((IMPORTS, BLOCK, MODEL, CRASH), names)
    (model,) = examined(space["CrashLM"]()).models
    assert model.verdict is Verdict.UNTRAINABLE
    assert any("session.ipynb:cell 4:3" in reason for reason in model.reasons)


def test_a_model_without_text_is_judged_by_its_run_alone(names: list[str]) -> None:
    """`exec` keeps no text: the cut is measured all the same, and the lack is noted."""
    space = run((IMPORTS + BLOCK + MODEL,), names, kept=False)
    found = examined(space["CellLM"]())
    (model,) = found.models
    assert model.verdict is Verdict.UNTRAINABLE
    assert [one.rule for one in found.findings] == ["GD101"]
    assert found.findings[0].fix is None
    assert any("text of its class" in note for note in model.notes)
