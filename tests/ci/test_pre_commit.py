"""The hooks of `.pre-commit-hooks.yaml`, run by the real pre-commit in a repository of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import HEALTHY, SICK
from tests.commands import ROOT

pytest.importorskip("pre_commit")
yaml = pytest.importorskip("yaml")  # pre-commit brings it

MANIFEST = ROOT / ".pre-commit-hooks.yaml"
LINE = "model/sick.py:13:6"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with a sick, a healthy and a foreign file."""
    folder = tmp_path / "repository"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "sick.py").write_text(SICK)
    (folder / "model" / "healthy.py").write_text(HEALTHY)
    (folder / "notes.txt").write_text("@torch.no_grad()\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    return folder


def git(folder: Path, *words: str) -> None:
    """Run git there."""
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def pre_commit(
    folder: Path, *words: str | Path, seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run pre-commit there, with nothing that an earlier run has left."""
    ours = {"PRE_COMMIT_HOME": str(folder.parent / "pre-commit"), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", *map(str, words)],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", **ours},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )


def hooks() -> list[dict[str, Any]]:
    """The hooks as the manifest has them."""
    return list(yaml.safe_load(MANIFEST.read_text()))


def configure(folder: Path, hook: dict[str, Any]) -> None:
    """Have the repository use a hook as it is written, but of this very Python."""
    local = {**hook, "language": "system", "entry": f"{sys.executable} -m {hook['entry']}"}
    del local["minimum_pre_commit_version"]  # only a manifest may say it
    config = {"repos": [{"repo": "local", "hooks": [local]}]}
    # JSON is YAML as well.
    (folder / ".pre-commit-config.yaml").write_text(json.dumps(config))
    git(folder, "add", ".")


def test_the_manifest_is_one() -> None:
    """As pre-commit itself judges it."""
    done = pre_commit(ROOT, "validate-manifest", MANIFEST)
    assert done.returncode == 0, done.stdout


def test_the_static_hook_needs_no_torch() -> None:
    """It is installed from the package alone, and runs nothing of the user's."""
    static = hooks()[0]
    assert (static["id"], static["language"]) == ("gptdoctor", "python")
    assert "--static" in static["entry"].split()
    assert "additional_dependencies" not in static


def test_the_hook_stops_a_commit_of_a_sick_model(repository: Path) -> None:
    """With the rule and the line; once it is healed the hook passes."""
    configure(repository, hooks()[0])
    done = pre_commit(repository, "run", "--all-files")
    assert done.returncode == 1, done.stdout
    assert "exit code: 1" in done.stdout
    assert "GD101 no-grad-in-forward" in done.stdout
    assert LINE in done.stdout
    assert done.stdout.count("GD101 no-grad-in-forward") == 1
    (repository / "model" / "sick.py").write_text(HEALTHY)
    git(repository, "add", ".")
    done = pre_commit(repository, "run", "--all-files")
    assert done.returncode == 0, done.stdout
    assert "Passed" in done.stdout


def test_only_what_is_committed_is_looked_at(repository: Path) -> None:
    """A sick file that stays as it was does not stop a healthy one; a notebook is one of both."""
    configure(repository, hooks()[0])
    git(repository, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "old")
    (repository / "model" / "healthy.py").write_text(f"{HEALTHY}\n")
    git(repository, "add", ".")
    assert pre_commit(repository, "run").returncode == 0
    cell = {"cell_type": "code", "metadata": {}, "source": SICK, "outputs": []}
    notebook = {"cells": [cell], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}
    (repository / "study.ipynb").write_text(json.dumps(notebook))
    git(repository, "add", ".")
    done = pre_commit(repository, "run")
    assert done.returncode == 1
    assert "study.ipynb:cell 1:13" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="pre-commit installs from a repository")
def test_pre_commit_installs_the_hook_and_runs_it(repository: Path) -> None:
    """From this repository, into an environment of its own that has no torch."""
    done = pre_commit(repository, "try-repo", ROOT, "gptdoctor", "--all-files", seconds=600)
    assert done.returncode == 1, done.stdout
    assert "GD101 no-grad-in-forward" in done.stdout
    assert LINE in done.stdout
    git(repository, "rm", "--quiet", "--force", "model/sick.py")
    done = pre_commit(repository, "try-repo", ROOT, "gptdoctor", "--all-files", seconds=600)
    assert done.returncode == 0, done.stdout
