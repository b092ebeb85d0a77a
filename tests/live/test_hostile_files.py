"""Files that hang, crash, shout or are broken: a clear line each, and the rest is examined."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.commands import started

MODEL = """
import torch
from torch import nn
import torch.nn.functional as F

def work():
    {work}

class Works:
    work()  # what a class needs to be defined is run; work for nothing is left out

class Tiny{name}(nn.Module):
    def __init__(self, vocab_size=50257, n_embd=768):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, n_embd)
        self.head = nn.Linear(n_embd, vocab_size)

    def forward(self, idx, targets=None):
        logits = self.head(self.wte(idx))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""
HOSTILE = {
    "Hangs": "import time; time.sleep(3600)",
    "Leaves": "import os; os._exit(0)",
    "Segfaults": "import ctypes; ctypes.string_at(0)",
    "Shouts": "print('x' * 1_000_000)",
    "Healthy": "pass",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all of them."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, work in HOSTILE.items():
        (folder / f"{name.lower()}.py").write_text(MODEL.format(name=name, work=work))
    (folder / "broken.py").write_text("import torch\nclass Broken(\n")
    (folder / "empty.py").write_text("")
    (folder / "latin.py").write_bytes("import torch  # Zürich\n".encode("latin-1"))
    return folder


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run over the folder writes what a person reads."""
    return tmp_path_factory.mktemp("told") / "text.txt"


@pytest.fixture(scope="module")
def done(project: Path, text: Path) -> Any:
    """One run over the folder, whose processes are named after it."""
    return started("check", "--timeout", "6", "--output-format", f"json,text:{text}", project)


@pytest.mark.parametrize(
    ("name", "verdict", "word"),
    [
        ("Hangs", "unexamined", "timed out"),
        ("Leaves", "untrainable", "status 0"),
        ("Segfaults", "untrainable", "SIGSEGV"),
    ],
)
def test_each_bad_end_is_a_result(done: Any, name: str, verdict: str, word: str) -> None:
    """The verdict and its reason say what happened."""
    model = next(one for one in done.document["models"] if one["name"] == f"Tiny{name}")
    assert model["verdict"] == verdict
    assert word in " ".join(model["reasons"])


@pytest.mark.parametrize("name", ["Shouts", "Healthy"])
def test_the_rest_is_still_examined(done: Any, name: str) -> None:
    """A neighbour's crash costs nobody else his verdict."""
    model = next(one for one in done.document["models"] if one["name"] == f"Tiny{name}")
    assert model["verdict"] == "trainable"


def test_files_that_cannot_be_read_are_errors_with_their_line(done: Any) -> None:
    """A syntax error and a wrong encoding, each by its kind."""
    errors = {Path(one["path"]).name: one["kind"] for one in done.document["errors"]}
    assert errors == {"broken.py": "syntax-error", "latin.py": "encoding-error"}


def test_an_empty_file_is_said_to_be_empty(done: Any) -> None:
    """Nothing to examine is no error."""
    assert [Path(one["path"]).name for one in done.document["skipped"]] == ["empty.py"]


def test_the_run_fails_and_prints_nothing_but_json(done: Any) -> None:
    """Untrainable models and unreadable files: 1, and no word of theirs on our stdout."""
    assert done.code == 1
    assert "xxxx" not in done.out


def test_no_process_is_left(done: Any, project: Path) -> None:
    """Neither a zombie nor an orphan of this run stays."""
    assert done.code == 1
    left = [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(project) in " ".join(process.info["cmdline"] or ())
    ]
    assert not left
    assert not [one for one in psutil.Process().children() if one.status() == "zombie"]


def test_the_text_names_every_one_of_them(done: Any, text: Path) -> None:
    """A person reads the same facts."""
    shown = text.read_text()
    for word in ("timed out", "SIGSEGV", "status 0", "broken.py", "latin.py", "empty.py"):
        assert word in shown
    assert "Traceback" not in shown + done.err
