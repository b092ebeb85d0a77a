"""Models that look for an accelerator: hidden from them, and shown where the user asks for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import check_json

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn

device = "cuda" if torch.cuda.is_available() else "cpu"


class Model(nn.Module):
    def __init__(self, vocab_size=50257, n_embd=768, block_size=1024{more}):
        super().__init__()
        self.tok = nn.Embedding(vocab_size, n_embd{where})
        self.pos = nn.Embedding(block_size, n_embd{where})
        self.mix = nn.Linear(n_embd, n_embd{where})
        self.head = nn.Linear(n_embd, vocab_size{where})
"""
FORWARD = """
    def {entry}(self, idx, targets=None):
        places = torch.arange(idx.shape[1], device={device})
        x = self.tok(idx{moved}) + self.pos(places)
        logits = self.head(x + self.mix(x).relu())
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten(){moved})
"""
FILES = {
    # as tutorials write it: the training script moves the model
    "either.py": HEAD.format(more="", where="")
    + FORWARD.format(entry="forward", device="device", moved=""),
    "step.py": HEAD.format(more="", where="")
    + FORWARD.format(entry="step", device="device", moved=""),
    "only.py": HEAD.format(more="", where=', device="cuda"')
    + FORWARD.format(entry="forward", device='"cuda"', moved=".cuda()"),
}
needs_cuda = pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="there is no CUDA here")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The devices, to the processes that the test starts."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files in a folder of their own."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def verdicts(folder: Path, *words: str) -> dict[str, str]:
    """What a check says of each file."""
    models = check_json(*words, ".", cwd=folder)["models"]
    return {model["path"]: model["verdict"] for model in models}


def test_a_model_that_takes_what_there_is_runs_on_the_processor(folder: Path) -> None:
    """On every machine alike; what cannot is unexamined, never untrainable."""
    told = verdicts(folder)
    assert told == {"either.py": "trainable", "step.py": "trainable", "only.py": "unexamined"}


@needs_cuda
@pytest.mark.usefixtures("shown")
def test_devices_that_are_shown_are_used(folder: Path) -> None:
    """The model is moved to where it would be trained, and its inputs with it."""
    told = verdicts(folder, "--devices")
    assert told == dict.fromkeys(FILES, "trainable")


@needs_cuda
@pytest.mark.usefixtures("shown")
def test_the_printed_code_runs_on_the_device(folder: Path) -> None:
    """What is built is moved, and so is what it is called with."""
    document = check_json("--devices", "either.py", cwd=folder)
    specimen = document["models"][0]["specimen"]
    text = "\n".join([FILES["either.py"], f"model = {specimen['build']}", specimen["call"]])
    subprocess.run([sys.executable, "-c", text], check=True)
    assert ".to('cuda')" in specimen["build"]
    assert ".to('cuda:0')" in specimen["call"]


@needs_cuda
@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize("name", ["either.py", "step.py"])
def test_the_device_tells_what_the_processor_tells(folder: Path, name: str) -> None:
    """All that is measured there is measured here: ids out of range end nobody's process.

    But the full size: it is laid out without memory, of which a device that code names has none.
    """
    here, there = (check_json(*words, name, cwd=folder) for words in ((), ("--devices",)))
    told = [
        (
            sorted({*document["models"][0]["measured"]} - {"full-size"}),
            sorted((one["rule"], one["line"]) for one in document["findings"]),
        )
        for document in (here, there)
    ]
    assert told[0] == told[1]
