"""A notebook is examined like a file, told by cell, and never written to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gptdoctor.report.json_document import from_document, to_document
from tests.commands import Done, gptdoctor
from tests.report.test_json_document import SCHEMA
from tests.source.notebooks import notebook

BLOCK = """import torch.nn as nn
class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc = nn.Linear(dim, dim)

    @torch.no_grad()
    def forward(self, x):
        return x + self.fc(x)
"""
MODEL = """%%time
class CellGPT(nn.Module):
    def __init__(self, vocab_size: int = 97, dim: int = 32):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, dim)
        self.block = Block(dim)
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        return self.head(self.block(self.emb(ids)))
"""


TRAINING = """model = CellGPT()
optimizer = torch.optim.AdamW(model.parameters())
for step in range(10_000):
    model(torch.randint(97, (2, 9))).sum().backward()
    optimizer.step()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two notebooks: a model in several cells, one of them broken, and one in another language."""
    place = tmp_path_factory.mktemp("study")
    cells = ["%matplotlib inline\n!pip install x\nimport torch", BLOCK, "oh no (", MODEL]
    cells.append(TRAINING)
    (place / "study.ipynb").write_text(notebook("# A study", code=cells))
    (place / "stats.ipynb").write_text(notebook(code=["x <- 1"], language="R"))
    return place


@pytest.fixture(scope="module")
def checked(folder: Path) -> dict[str, Any]:
    """What `check` says of both."""
    return gptdoctor("check", "--output-format", "json", ".", cwd=folder).document


@pytest.fixture(scope="module")
def fixed(folder: Path) -> Done:
    """What `fix --apply` says of the first."""
    return gptdoctor("fix", "--apply", "--unsafe-fixes", "--unproven", "study.ipynb", cwd=folder)


def test_findings_models_and_errors_name_the_cell_and_its_line(checked: dict[str, Any]) -> None:
    """Cells are counted as a reader counts them, and so are their lines."""
    (cut,) = (one for one in checked["findings"] if one["rule"] == "GD101")
    assert (cut["path"], cut["cell"], cut["cell_line"]) == ("study.ipynb", 3, 7)
    assert cut["evidence"]["status"] == "confirmed"
    (model,) = checked["models"]
    assert (model["name"], model["cell"], model["cell_line"]) == ("CellGPT", 5, 2)
    assert any("study.ipynb:cell 3:7" in reason for reason in model["reasons"])
    assert any("cell 6:3-5 (training)" in one for one in model["notes"])
    (error,) = checked["errors"]
    assert (error["kind"], error["cell"], error["cell_line"]) == ("syntax-error", 4, 1)
    skipped = {one["path"]: one["reason"] for one in checked["skipped"]}
    assert skipped == {"stats.ipynb": "a notebook in R"}


def test_the_document_keeps_its_contract(checked: dict[str, Any]) -> None:
    """Cells are fields that were added: valid by the schema, and read back."""
    jsonschema.Draft202012Validator(SCHEMA).validate(checked)
    assert to_document(from_document(checked))["findings"] == checked["findings"]


def test_a_repair_is_shown_and_not_written(folder: Path, fixed: Done) -> None:
    """No option lets a fix into a notebook: its outputs and metadata are not ours."""
    assert "-    @torch.no_grad()" in fixed.out
    assert "gptdoctor writes into no notebook" in " ".join(fixed.out.split())
    assert "no_grad" in json.dumps(json.loads((folder / "study.ipynb").read_text()))
