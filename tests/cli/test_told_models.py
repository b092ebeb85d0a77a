"""Builds and calls that the user gives, on the command line and in pyproject.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gptdoctor.config_file import read_config
from tests.commands import Done, check_json, gptdoctor

HEAD = "import torch\nfrom torch import nn\n"
# No rule finds the word that the constructor wants.
HARD = """
class Hard(nn.Module):
    def __init__(self, words, secret):
        super().__init__()
        if sum(map(ord, str(secret))) != 638:
            raise ValueError("wrong secret")
        self.e = nn.Embedding(words, 8)
        self.state = nn.Linear(5, 8)
        self.out = nn.Linear(8, words)

    def forward(self, zork, state):
        return self.out(self.e(zork) + self.state(state)[:, None])
"""
EASY = """
class {name}(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        return self.out(self.e(ids))
"""
TOML = """
[tool.gptdoctor.models."src/hard.py:Hard"]
build = "Hard(50, 'sesame')"
call = "model(ids, torch.zeros(B, 5))"
causal = false

[tool.gptdoctor.models."src/easy.py:Ignored"]
ignore = true
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of three models, of which one cannot be guessed."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src/hard.py").write_text(HEAD + HARD)
    easy = EASY.format(name="Easy") + EASY.format(name="Ignored")
    (tmp_path / "src/easy.py").write_text(HEAD + easy)
    (tmp_path / "pyproject.toml").write_text("")
    return tmp_path


def by_name(document: dict[str, Any]) -> dict[str, Any]:
    """The models of a result."""
    return {model["name"]: model for model in document["models"]}


def test_entries_of_the_file_are_used_and_reported(project: Path) -> None:
    """The build and the call run; what is ignored is listed, and never as healthy."""
    (project / "pyproject.toml").write_text(TOML)
    models = by_name(check_json("--fast", "src", "--strict", cwd=project))
    assert models["Hard"]["verdict"] == "trainable"
    assert models["Hard"]["specimen"]["build"] == "Hard(50, 'sesame')"
    assert "shapes" in models["Hard"]["measured"]
    assert any("not causal" in note for note in models["Hard"]["notes"])
    assert models["Ignored"]["verdict"] == "unexamined"
    assert models["Ignored"]["ignored"] is True
    assert models["Ignored"]["reasons"] == ["ignored, as pyproject.toml says"]
    assert models["Ignored"]["measured"] == []
    assert not models["Easy"]["ignored"]


@pytest.mark.parametrize("target", ["src/hard.py::Hard", "hard:Hard"])
def test_a_class_named_in_either_way_finds_its_entry(project: Path, target: str) -> None:
    """As FILE::Class and as module:Class; the command line counts before the file."""
    (project / "pyproject.toml").write_text(TOML)
    document = check_json("--fast", target, "--build", "Hard(60, 'sesame')", cwd=project)
    assert document["models"][0]["facts"]["vocabulary"] == 60


def test_what_was_found_is_written_and_gives_the_same_again(project: Path) -> None:
    """The second run is built from the entries; what could not be built has a template."""
    first = gptdoctor("check", "src", "--write-config", "--output-format", "json", cwd=project)
    models = read_config(project).models
    assert models.keys() == {"src/easy.py:Easy", "src/easy.py:Ignored"}
    text = (project / "pyproject.toml").read_text()
    assert '# build = "Hard(words=..., secret=...)"' in text
    assert '# call = "model(ids, state=...)"' in text
    assert '[tool.gptdoctor.models."src/easy.py:Easy"]' in first.err
    before, after = by_name(first.document), by_name(check_json("src", cwd=project))
    for name in ("Easy", "Ignored"):
        for key in ("verdict", "reasons"):
            assert before[name][key] == after[name][key], key
        # A call that was written down is not given what it does not name.
        odd = {"odd-inputs"}
        assert set(before[name]["measured"]) - odd == set(after[name]["measured"]) - odd
        assert before[name]["specimen"]["build"] == after[name]["specimen"]["build"]


def test_what_to_write_is_told_where_guessing_ends(project: Path) -> None:
    """The command with places to fill in, and the entry."""
    told = gptdoctor("check", "src/hard.py", cwd=project).out
    assert "wrong secret" in told
    assert "gptdoctor check src/hard.py::Hard --build 'Hard(words=..., secret=...)'" in told
    assert '[tool.gptdoctor.models."src/hard.py:Hard"]' in told


def test_a_wrong_build_is_said_to_be_the_user_s(project: Path) -> None:
    """One sentence with the expression and its error; the model is not blamed."""
    done = check_json("src/hard.py::Hard", "--build", "Hard(Nothing())", cwd=project)
    model = done["models"][0]
    assert model["verdict"] == "unexamined"
    assert (
        "the build that you gave, Hard(Nothing()), fails: "
        "NameError: name 'Nothing' is not defined" in model["reasons"][0]
    )


def refused(done: Done) -> str:
    """What was said of a call that is wrong."""
    assert done.code == 2
    assert done.out == ""
    assert "Traceback" not in done.err
    return done.err


@pytest.mark.parametrize("option", ["--build", "--call"])
def test_an_expression_needs_one_model(project: Path, option: str) -> None:
    """Where there are more, it is said how to name one."""
    told = refused(gptdoctor("check", "src", option, "Easy()", cwd=project))
    assert f"{option} says how one model is run, and 3 were found" in told
    assert "gptdoctor check src/easy.py::Easy" in told


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("src/gone.py:Hard", "names no file: there is no src/gone.py"),
        ("src/hard.py:Gone", "names no class or function of src/hard.py"),
    ],
)
def test_an_entry_that_nothing_answers_to_is_an_error(project: Path, key: str, told: str) -> None:
    """Also in a static scan: an entry in the wind would be passed over in silence."""
    (project / "pyproject.toml").write_text(f'[tool.gptdoctor.models."{key}"]\nignore = true\n')
    assert told in refused(gptdoctor("check", "--static", "src", cwd=project))


def test_nothing_is_written_without_a_run(project: Path) -> None:
    """--static measures nothing that could be written."""
    assert "--static" in refused(gptdoctor("check", "--static", "--write-config", cwd=project))
    assert (project / "pyproject.toml").read_text() == ""
