"""What the user set aside, as the commands show it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from gptdoctor.cli.main import app
from tests.commands import ROOT, gptdoctor
from tests.source.test_revisions import git

SICK = """import torch
from torch import nn


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 8)

    @torch.no_grad(){comment}
    def forward(self, x):
        return self.head(x)
"""
STATIC = ("check", "--static", "--no-cache")
SCHEMA = json.loads((ROOT / "gptdoctor/report/schema.json").read_text())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a finding that a comment sets aside, and one that nothing does."""
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'it'\n")
    comment = "  # gptdoctor: ignore[GD101] it is scored, and never trained"
    (tmp_path / "known.py").write_text(SICK.format(comment=comment))
    (tmp_path / "sick.py").write_text(SICK.format(comment=""))
    return tmp_path


def test_the_terminal_counts_what_it_does_not_show(project: Path) -> None:
    """With what set it aside; alone it fails nothing."""
    done = gptdoctor(*STATIC, cwd=project)
    assert done.code == 1
    assert "known.py:10" not in done.out
    assert "sick.py:10" in done.out
    assert "1 suppressed by comments." in done.out
    assert gptdoctor(*STATIC, "known.py", cwd=project).code == 0


def test_json_holds_it_apart_with_the_reason(project: Path) -> None:
    """As the contract says."""
    document = gptdoctor(*STATIC, "--output-format", "json", cwd=project).document
    jsonschema.validate(document, SCHEMA)
    (aside,) = document["suppressed"]
    assert (aside["path"], aside["rule"]) == ("known.py", "GD101")
    assert aside["suppressed"] == {"by": "comment", "reason": "it is scored, and never trained"}
    assert [one["path"] for one in document["findings"]] == ["sick.py"]
    assert document["summary"]["suppressed"] == 1
    assert document["summary"]["findings"] == 1


def test_an_answer_from_the_cache_is_settled_anew(project: Path, tmp_path: Path) -> None:
    """What is shown is no part of what is kept, and what is read is a part of the question."""
    cache = tmp_path / ".cache"
    words = ("check", "--static", "--output-format", "json")
    git(project, "init", "-q", project)

    def shown() -> list[str]:
        document = gptdoctor(*words, cwd=project, cache=cache).document
        return [one["path"] for one in document["findings"]]

    assert shown() == shown() == ["sick.py"]
    (project / "pyproject.toml").write_text(
        "[tool.gptdoctor]\nper-file-ignores = {'sick.py' = ['GD1']}\n"
    )
    assert shown() == shown() == []
    (project / "pyproject.toml").write_text("")
    assert shown() == ["sick.py"]
    (project / ".gitignore").write_text("sick.py\n")
    assert shown() == []


def test_the_next_command_gets_the_same_options(project: Path) -> None:
    """Or it would show what this one set aside."""
    (project / "own.toml").write_text("[tool.gptdoctor]\n")
    options = ("--config", "own.toml", "--extend-exclude", "a/", "--no-respect-gitignore")
    done = gptdoctor(*STATIC, *options, cwd=project)
    told = " ".join(done.out.split())
    assert (
        "gptdoctor check --extend-exclude a/ --no-respect-gitignore --config own.toml runs" in told
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--diff-base", "nowhere"), "no git repository"),
        (("--baseline", "nowhere.json"), "there is no baseline nowhere.json"),
        (("--config", "nowhere.toml"), "there is no file nowhere.toml"),
        (("--select", "no-grad-in-foward"), "did you mean 'no-grad-in-forward'?"),
    ],
)
def test_a_wrong_call_is_told(project: Path, words: tuple[str, ...], told: str) -> None:
    """Exit code 2, on stderr, without a traceback."""
    done = gptdoctor(*STATIC, *words, cwd=project)
    assert done.code == 2
    assert told in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


def test_a_hook_may_name_files_that_are_excluded(project: Path) -> None:
    """As pre-commit does, which names each file that changed."""
    words = ("sick.py", "--extend-exclude", "sick.py")
    assert gptdoctor(*STATIC, *words, cwd=project).code == 1
    done = gptdoctor(*STATIC, *words, "--force-exclude", cwd=project)
    assert done.code == 0
    assert "No files read" in done.out


def listed(*words: str) -> list[str]:
    """What a command that only lists prints."""
    done = CliRunner().invoke(app, ["check", *words])
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def test_the_files_are_listed_that_would_be_read(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that patterns can be tried."""
    monkeypatch.chdir(project)
    (project / "tests").mkdir()
    (project / "tests/model.py").write_text("")
    assert listed("--show-files") == ["known.py", "sick.py"]
    assert listed("--show-files", "--extend-exclude", "known.py") == ["sick.py"]
    assert listed("--show-files", "--exclude", "sick.py") == ["known.py", "tests/model.py"]


def test_the_settings_are_listed_that_hold(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of files and of the command line."""
    monkeypatch.chdir(project)
    (project / "pyproject.toml").write_text("[tool.gptdoctor]\nfail-on = 'low'\n")
    shown = listed("--show-settings", "--select", "no-progress")
    assert "fail-on = 'low'" in shown
    assert "select = ('GD903',)" in shown
    assert "respect-gitignore = True" in shown


def test_what_is_set_aside_is_not_repaired(project: Path) -> None:
    """Nothing that was measured changes that."""
    done = gptdoctor("fix", "--apply", "known.py", "--no-cache", cwd=project)
    assert done.code == 0
    assert "Nothing to repair" in done.out
    assert (project / "known.py").read_text().count("no_grad") == 1
