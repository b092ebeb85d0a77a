"""What a user may limit: models at once, memory, time; and what the models print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gptdoctor.config_keys import value_given
from gptdoctor.core.errors import UsageError
from tests.commands import check_json, gptdoctor
from tests.worker.conftest import defining, write

pytest.importorskip("torch")
# It asks for 1.5 GiB, and touches none of it.
BIG = "torch.empty(3 << 29, dtype=torch.uint8)"
GREEDY = """
import torch
from torch import nn
import torch.nn.functional as F


class Greedy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        {backward}
        return gradient


class Net(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        {init}
        self.embed = nn.Embedding(vocab_size, dim)
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        {forward}
        return Greedy.apply(self.head(self.embed(ids)))
"""
PLACES = {
    "init": BIG,
    "forward": BIG,
    "backward": BIG,
    "batch": f"if ids.shape[0] == 1: {BIG}",
}
# Two that are imported at the same time meet, however slow the machine; one alone waits in vain.
MEETS = """\
import pathlib, time
print("corpus loaded")
pathlib.Path("{own}").touch()
for _ in range({looks}):
    time.sleep(0.05)
    if pathlib.Path("{other}").exists():
        raise RuntimeError("not alone")
raise RuntimeError("alone")
"""
NET = GREEDY.format(init="pass", forward="pass", backward="pass")


def greedy(place: str) -> str:
    """A model that wants memory in one place."""
    lines = dict.fromkeys(("init", "forward", "backward"), "pass")
    lines["forward" if place == "batch" else place] = PLACES[place]
    return GREEDY.format(**lines)


@pytest.fixture(scope="module")
def greedy_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for each place."""
    root = tmp_path_factory.mktemp("greedy")
    write(root, {f"{place}.py": greedy(place) for place in PLACES})
    return root


@pytest.fixture(scope="module")
def limited(greedy_models: Path) -> dict[str, Any]:
    """The result with less memory than they ask for."""
    return check_json(greedy_models, "--memory", "600M")


@pytest.mark.parametrize("place", ["init", "forward", "backward"])
def test_a_lack_of_memory_is_told_with_the_limit(limited: dict[str, Any], place: str) -> None:
    """Wherever it is asked for, the model is unexamined, and nothing is to be written for it."""
    [model] = [one for one in limited["models"] if one["path"] == f"{place}.py"]
    assert model["verdict"] == "unexamined"
    told = "needs more than 600 MiB of memory, the limit of each model (--memory)"
    assert told in " ".join(model["reasons"])
    assert len(model["reasons"]) == 1
    assert model["to_write"] is None


def test_memory_that_one_batch_lacks_is_no_defect_of_shapes(limited: dict[str, Any]) -> None:
    """A batch that the limit stopped convicts nothing, and the model is examined at the others."""
    [model] = [one for one in limited["models"] if one["path"] == "batch.py"]
    assert model["verdict"] == "trainable"
    assert "asks for more memory than it may have (--memory) at B=1" in " ".join(model["notes"])
    assert not [one for one in limited["findings"] if one["rule"] == "GD302"]


@pytest.mark.parametrize(
    ("words", "looks", "outcome"),
    [(("--jobs", "1", "--show-output"), 12, "9: alone"), (("--jobs", "2"), 400, "8: not alone")],
)
def test_jobs_and_output_are_as_asked(
    tmp_path: Path, words: tuple[str, ...], looks: int, outcome: str
) -> None:
    """`--jobs` says whether two models meet, and only `--show-output` shows what they print."""
    for own, other in (("a", "b"), ("b", "a")):
        work = defining(MEETS.format(own=own, other=other, looks=looks))
        write(tmp_path, {f"{own}.py": work + NET})
    done = gptdoctor("check", *words, "a.py", "b.py", cwd=tmp_path)
    assert f"RuntimeError in import at a.py:{outcome}" in " ".join(done.out.split())
    assert ("  output     corpus loaded" in done.out) is ("--show-output" in words)


@pytest.mark.parametrize("word", ["0", "-1", "lots", "1.5", ""])
@pytest.mark.parametrize("key", ["jobs", "memory"])
def test_a_wrong_number_is_told_with_what_is_allowed(key: str, word: str) -> None:
    """No value that means nothing is taken for the default."""
    with pytest.raises(UsageError, match=f"--{key} is '{word}', and must be a "):
        value_given(key, word)


@pytest.mark.parametrize(
    ("key", "word"),
    [
        *(("timeout", word) for word in ("0", "-1", "lots", "nan", "inf")),
        *(("memory", word) for word in ("0M", "5 apples", "1e400")),
        *(("seed", word) for word in ("x", "1.5", "99999999999999999999")),
        *(("build", word) for word in ("Tiny(", " ", "x = Tiny()")),
    ],
)
def test_other_wrong_values_are_refused(key: str, word: str) -> None:
    """Nor is one that would break later."""
    with pytest.raises(UsageError, match=f"--{key} is {re.escape(repr(word))}, and must be an? "):
        value_given(key, word)


@pytest.mark.parametrize(
    ("key", "word", "value"),
    [
        ("jobs", "3", 3),
        ("memory", "800M", 800 * 2**20),
        ("memory", "123456", 123456),
        ("timeout", "0.5", 0.5),
        ("timeout", "30", 30.0),
        ("seed", "-7", -7),
        ("call", "model(ids,\n    B)", "model(ids,\n    B)"),  # as it is pasted
    ],
)
def test_right_values_are_read(key: str, word: str, value: object) -> None:
    """As they stand in pyproject.toml."""
    assert value_given(key, word) == value


@pytest.mark.parametrize("words", [("--jobs", "0"), ("--memory", "lots"), ("--build", "Net(")])
def test_a_wrong_value_is_one_sentence(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Exit code 2, one line on stderr, nothing on stdout."""
    done = gptdoctor("check", "--static", *words, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    [line] = done.err.splitlines()
    assert line.startswith(f"gptdoctor: {words[0]} is '{words[1]}', and must be a")
