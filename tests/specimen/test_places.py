"""Which code is the user's, by the names that running code has for its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.specimen.places import known_as, project_path
from tests.specimen.making import build


@pytest.mark.parametrize(
    ("filename", "root", "path"),
    [
        ("/home/me/gpt/src/model.py", "/home/me/gpt", "src/model.py"),
        ("/home/me/other.py", "/home/me/gpt", None),
        ("/home/me/gpt/.venv/lib/site-packages/x.py", "/home/me/gpt", None),
        ("/lib/site-packages/hub/gpt2.py", "/lib/site-packages", "hub/gpt2.py"),
        ("/lib/site-packages/torch/nn/linear.py", "/lib/site-packages", None),
        ("/lib/site-packages/numpy/core.py", "/lib/site-packages", None),
        ("/home/me/gpt/torch/layers.py", "/home/me/gpt", "torch/layers.py"),
        ("<string>", "/home/me/gpt", None),
    ],
)
def test_torch_is_no_ones_project(filename: str, root: str, path: str | None) -> None:
    """Among installed packages what all models run on is told apart from the models."""
    assert project_path(filename, root) == path


def test_code_without_a_file_goes_by_another_name_meanwhile() -> None:
    """Cells have names of their own, before and afterwards they are no one's."""
    assert project_path("<cell 3>", "/home/me") is None
    with known_as({"<cell 3>": "session.ipynb:cell 3"}):
        assert project_path("<cell 3>", "/home/me") == "session.ipynb:cell 3"
    assert project_path("<cell 3>", "/home/me") is None


def test_a_half_built_module_that_fails_at_telling_its_dtype_still_crashes(tmp_path: Path) -> None:
    """The models of transformers ask their first parameter, and have none yet."""
    text = """
class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, dim, padding=0)

    @property
    def dtype(self):
        return next(self.parameters()).dtype

    def forward(self, idx):
        return self.emb(idx) @ self.emb.weight.T
"""
    construction, _ = build(tmp_path, text)
    assert construction.outcome == "crashed"
    assert construction.crash is not None
    assert "unexpected keyword argument" in construction.crash.message
