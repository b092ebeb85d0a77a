"""The command line's manners: exit codes, one sentence per error, stdout for results alone."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gptdoctor.catalog import all_defects, defect_named
from gptdoctor.cli.main import app
from gptdoctor.defect import Defect
from tests.commands import Done, gptdoctor, started

HEALTHY = """
import torch
from torch import nn
import torch.nn.functional as F


class Tiny(nn.Module):
    def __init__(self, vocab_size=50257, n_embd=768):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, n_embd)
        self.head = nn.Linear(n_embd, vocab_size)

    def forward(self, idx, targets=None):
        logits = self.head(self.wte(idx))
        loss = None
        if targets is not None:
            loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return logits, loss
"""
SICK = HEALTHY.replace("    def forward", "    @torch.no_grad()\n    def forward")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one healthy and one sick file."""
    write_project(tmp_path)
    return tmp_path


def write_project(folder: Path) -> None:
    """Its files."""
    (folder / "healthy.py").write_text(HEALTHY)
    (folder / "sick.py").write_text(SICK)
    (folder / "notes.py").write_text("import torch\n\nx = 1\n")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--static", "healthy.py"), 0),
        (("--static", "sick.py"), 1),
        (("--static", "sick.py", "--exit-zero"), 0),
        (("--static", "sick.py", "--ignore", "GD101"), 0),
        (("--static", "sick.py", "--select", "GD2,GD3"), 0),
        (("--static", "notes.py"), 0),
        (("--static", "sick.py::Tiny"), 1),
        (("--static", "sick:Tiny"), 1),
        (("--static",), 1),
        (("--static", "nowhere.py"), 2),
        (("--static", "healthy.py::Nobody"), 2),
        (("--static", "--select", "GD9999", "healthy.py"), 2),
        (("--no-such-option",), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_exit_codes(project: Path, words: tuple[str, ...], code: int) -> None:
    """0 clean, 1 findings, 2 could not run."""
    done = gptdoctor("check", *words, cwd=project)
    assert done.code == code, done.out + done.err
    assert "Traceback" not in done.err


def test_an_error_is_one_sentence_with_what_to_do(project: Path) -> None:
    """On stderr, nothing on stdout."""
    done = gptdoctor("check", "nowhere.py", cwd=project)
    assert done.out == ""
    assert "nowhere.py" in done.err
    assert len(done.err.strip().splitlines()) <= 2


def test_the_next_command_repeats_how_models_are_run(project: Path) -> None:
    """Whoever pastes it gets the same models in the same interpreter, and the same rules."""
    words = ("sick.py", "--select", "GD1,GD2", "--python", sys.executable, "--timeout", "5")
    more = ("--memory", "2G", "--build", "Tiny(97, 8)", "--jobs", "1", "--exit-zero")
    done = gptdoctor("check", "--static", *words, *more, cwd=project)
    assert " ".join(done.out.split()).endswith(
        "Next: gptdoctor check sick.py --select GD1,GD2 --build 'Tiny(97, 8)' --python "
        f"{shlex.quote(sys.executable)} --timeout 5 --memory 2147483648 runs the models and tells "
        "what is true."
    )


def test_trace_shows_the_path_of_the_data(tmp_path: Path) -> None:
    """From a parameter to the line at which its gradient ends; without the option only in JSON."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "scaled.py").write_text(defect_named("GD102").sick)
    words, kept = ("check", "--fast", "--select", "GD102", "scaled.py"), tmp_path / "kept"
    code = "strength = torch.tensor(self.strength(self.tokens.weight).mean().item())"
    line = f"scaled.py:15  {code}"
    told = gptdoctor(*words, "--trace", cwd=tmp_path, cache=kept).out
    assert "the path of the data from strength.weight:" in told
    assert line in told
    assert line not in gptdoctor(*words, cwd=tmp_path, cache=kept).out
    document = gptdoctor(*words, "--output-format", "json", cwd=tmp_path, cache=kept).document
    assert document["findings"][0]["evidence"]["values"]["trail"] == [line.replace("  ", " ")]


def test_traceback_only_when_asked(project: Path) -> None:
    """--traceback shows where gptdoctor was."""
    done = gptdoctor("check", "--traceback", "nowhere.py", cwd=project)
    assert "Traceback" in done.err


def test_no_model_is_clean_and_said(project: Path) -> None:
    """Nothing to examine is exit code 0, with a word about it."""
    done = gptdoctor("check", "notes.py", cwd=project)
    assert done.code == 0
    assert "no model" in done.out.lower()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A check of the whole project, as JSON, in a process as a user starts it."""
    folder = tmp_path_factory.mktemp("whole")
    write_project(folder)
    return started("check", "--output-format", "json", cwd=folder)


def test_a_live_check_gives_verdicts_of_both(whole: Done) -> None:
    """The healthy model is trainable, the sick one is not, and the gate fails."""
    verdicts = {one["path"]: one["verdict"] for one in whole.document["models"]}
    assert verdicts == {"healthy.py": "trainable", "sick.py": "untrainable"}
    assert whole.code == 1


def test_verdicts_are_facts_but_the_gate_can_be_told(project: Path) -> None:
    """An untrainable model whose reasons are all ignored passes, and is still untrainable."""
    words = ("check", "--output-format", "json", "--ignore", "GD101", "sick.py")
    done = gptdoctor(*words, cwd=project)
    assert [one["verdict"] for one in done.document["models"]] == ["untrainable"]
    assert [one["rule"] for one in done.document["findings"]] == []
    assert done.code == 0


def test_static_gives_no_verdict(project: Path) -> None:
    """What nothing ran is not called healthy; no model is looked for but one that is named."""
    for target, expected in (("healthy.py", []), ("healthy.py::Tiny", [None])):
        done = gptdoctor("check", "--static", "--output-format", "json", target, cwd=project)
        assert [one["verdict"] for one in done.document["models"]] == expected


def test_report_from_a_result_runs_nothing(project: Path, whole: Done) -> None:
    """The report of a saved result needs neither the models nor torch."""
    result = project / "result.json"
    result.write_text(whole.out)
    (project / "sick.py").unlink()
    out = gptdoctor("report", "--from", result, "-o", "report.md", cwd=project)
    assert out.code == 0, out.err
    text = (project / "report.md").read_text()
    assert "sick.py" in text
    assert "GD101" in text
    assert gptdoctor("report", "--from", result, "-o", "report.html", cwd=project).code == 0
    page = (project / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "GD101" in page


def test_a_report_that_cannot_be_written_is_told_before_anything_runs(project: Path) -> None:
    """Minutes later it would be too late."""
    done = gptdoctor("report", "missing.py", "-o", "nowhere/report.md", cwd=project)
    assert done.code == 2
    assert "there is no folder 'nowhere'" in done.err


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"schema_version": 99}'])
def test_a_broken_result_file_is_one_sentence(project: Path, content: str) -> None:
    """Wrong files are named, exit code 2."""
    (project / "result.json").write_text(content)
    done = gptdoctor("report", "--from", "result.json", cwd=project)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert done.err.strip()


@pytest.mark.parametrize("defect", all_defects(), ids=lambda defect: defect.code)
def test_every_rule_is_explained(defect: Defect) -> None:
    """By code and by name, with its safety and the file it lives in."""
    page = in_process("explain", defect.code)
    assert defect.name in page
    assert in_process("explain", defect.name) == page
    assert f"{defect.name.replace('-', '_')}.py" in page


def in_process(*words: str) -> str:
    """What a command that runs no model prints: a process for each of many takes a minute."""
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_page_is_the_same_in_a_process_of_its_own() -> None:
    """As a user gets it."""
    page = started("explain", "GD101")
    assert page.code == 0
    assert page.out.split() == in_process("explain", "GD101").split()


def test_rules_lists_all_of_them() -> None:
    """Each with its severity."""
    listed = gptdoctor("rules")
    assert listed.code == 0
    for defect in all_defects():
        assert defect.code in listed.out
        assert defect.name in listed.out


def test_an_unknown_rule_is_named_with_the_known_ones() -> None:
    """Exit code 2 and a hint."""
    done = gptdoctor("explain", "GD999")
    assert done.code == 2
    assert "GD101" in done.err


def test_json_is_the_only_thing_on_stdout(whole: Done) -> None:
    """Progress and trouble go to stderr, which is silent when piped."""
    json.loads(whole.out)
    assert whole.err == ""


def test_an_interpreter_without_torch_says_what_to_install(project: Path) -> None:
    """The static scan works, the live side says what is missing."""
    import venv

    bare = project / "bare"
    venv.create(bare, with_pip=False, symlinks=True)
    python = bare / "bin" / "python"
    assert sys.prefix != str(bare)
    done = gptdoctor("check", "--output-format", "json", "--python", python, "sick.py", cwd=project)
    model = done.document["models"][0]
    assert model["verdict"] == "unexamined"
    assert "torch" in " ".join(model["reasons"])
    assert [one["rule"] for one in done.document["findings"]] == ["GD101"]
    assert gptdoctor("check", "--python", python, "healthy.py", cwd=project).code == 2


def test_an_interpreter_that_is_none_is_an_error(project: Path) -> None:
    """--python must name something that runs."""
    done = gptdoctor("check", "--python", "no/such/python", "healthy.py", cwd=project)
    assert done.code == 2
    assert "no/such/python" in done.err


def test_a_medium_finding_passes_the_gate_unless_it_is_asked_for(project: Path) -> None:
    """The default gate is `high`."""
    greedy = "\n    def generate(self, idx, temperature=1.0):\n"
    greedy += "        return (self(idx)[0] / temperature)[:, -1].argmax(-1)\n"
    (project / "greedy.py").write_text(HEALTHY + greedy)
    codes = [
        gptdoctor("check", "--static", *words, "greedy.py", cwd=project).code
        for words in ([], ["--fail-on", "medium"])
    ]
    assert codes == [0, 1]
