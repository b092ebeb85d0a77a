"""The GitHub Action: its file and the example against schemas, its steps as a runner runs them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import HEALTHY, SICK
from tests.commands import ROOT

yaml = pytest.importorskip("yaml")  # check-jsonschema and pre-commit bring it

ACTION = ROOT / "action.yml"
EXAMPLE = ROOT / "docs" / "ci" / "github.yml"
# A python that notes what pip is asked for, and does all else.
PYTHON = f"""#!/bin/bash
if [ "$1 $2" = "-m pip" ]; then shift 2; printf '%s\\n' "$*" >> "$PIP_LOG"; exit 0; fi
exec {sys.executable} "$@"
"""
needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")


@dataclass
class Runner:
    """What a runner has: a workspace, files for results, and the outputs of steps."""

    folder: Path
    inputs: dict[str, str]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("workspace", "temp", "bin"):
            (self.folder / name).mkdir()
        (self.folder / "bin" / "python").write_text(PYTHON)
        (self.folder / "bin" / "python").chmod(0o755)
        defaults = {name: one["default"] for name, one in action()["inputs"].items()}
        assert set(self.inputs) <= set(defaults)
        self.inputs = {**defaults, **self.inputs}

    @property
    def workspace(self) -> Path:
        """Where the repository is checked out."""
        return self.folder / "workspace"

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run the step of this id, and take its outputs."""
        [step] = [one for one in action()["runs"]["steps"] if one.get("id") == name]
        output, summary = self.folder / f"output-{name}", self.folder / "summary.md"
        output.touch()
        ours = {key: self._evaluated(value) for key, value in step.get("env", {}).items()}
        script = self.folder / f"{name}.sh"
        script.write_text(step["run"])
        where = self._evaluated(step.get("working-directory", "."))
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.workspace / where,
            env={
                **os.environ,
                **ours,
                "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "PIP_LOG": str(self.folder / "pip.txt"),
                "RUNNER_TEMP": str(self.folder / "temp"),
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(summary),
                "GITHUB_ACTIONS": "true",
            },
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        lines = output.read_text().splitlines()
        self.outputs[name] = dict(line.split("=", 1) for line in lines)
        return done

    @property
    def summary(self) -> str:
        """The summary of the job."""
        return (self.folder / "summary.md").read_text()

    @property
    def asked_of_pip(self) -> list[str]:
        """Each call of pip."""
        return (self.folder / "pip.txt").read_text().splitlines()

    def _evaluated(self, text: str) -> str:
        """The text with its expressions put in, as far as the action uses any."""
        return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: self._value(found[1]), text)

    def _value(self, expression: str) -> str:
        if expression == "github.action_path":
            return str(ROOT)
        kind, _, name = expression.partition(".")
        if kind == "inputs":
            return self.inputs[name]
        step, _, output = name.partition(".outputs.")
        assert kind == "steps"
        return self.outputs[step][output]


def action() -> dict[str, Any]:
    """The action's file."""
    return dict(yaml.safe_load(ACTION.read_text()))


def runner(folder: Path, **inputs: str) -> Runner:
    """A runner whose workspace holds a sick and a healthy model."""
    made = Runner(folder, {name.replace("_", "-"): value for name, value in inputs.items()})
    package = made.workspace / "src"
    package.mkdir()
    (package / "sick.py").write_text(SICK)
    (package / "healthy.py").write_text(HEALTHY)
    return made


@pytest.mark.parametrize(
    ("schema", "file"),
    [("vendor.github-actions", ACTION), ("vendor.github-workflows", EXAMPLE)],
    ids=lambda value: value.name if isinstance(value, Path) else value,
)
def test_the_files_follow_the_published_schemas(schema: str, file: Path) -> None:
    """As check-jsonschema carries them with it."""
    pytest.importorskip("check_jsonschema")
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_gives_the_action_what_it_takes() -> None:
    """Inputs that it knows, and no others."""
    jobs = yaml.safe_load(EXAMPLE.read_text())["jobs"]
    uses = [
        step
        for job in jobs.values()
        for step in job["steps"]
        if "/gptdoctor@" in step.get("uses", "")
    ]
    assert len(uses) == len(jobs)
    for step in uses:
        assert set(step["with"]) <= set(action()["inputs"])


def test_no_input_becomes_text_of_a_script() -> None:
    """What a pull request may choose must not be run; each input is used somewhere."""
    steps = action()["runs"]["steps"]
    assert not [step["name"] for step in steps if "${{" in step.get("run", "")]
    used = set(re.findall(r"inputs\.([\w-]+)", ACTION.read_text()))
    assert used == set(action()["inputs"])


@needs_bash
def test_a_sick_model_fails_the_gate_when_all_is_told(tmp_path: Path) -> None:
    """Annotations at the lines, a summary, SARIF, and the exit code at the very end."""
    made = runner(tmp_path, targets="src", sarif_file="found.sarif")
    done = made.run("check")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^::error file=src/sick\.py,line=13,.*GD101", done.stdout, re.MULTILINE)
    assert "healthy.py" not in done.stdout
    assert "GD101" in made.summary
    file = made.workspace / "found.sarif"
    assert made.outputs["check"] == {"exit-code": "1", "sarif-file": str(file)}
    [result] = json.loads(file.read_text())["runs"][0]["results"]
    assert result["ruleId"] == "GD101"
    assert made.run("gate").returncode == 1


@needs_bash
@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({"targets": "src/healthy.py"}, "0"),
        ({"targets": "src/healthy.py\nsrc/sick.py\n"}, "1"),
        ({"working_directory": "src", "targets": "sick.py"}, "1"),
        ({"args": "--ignore GD1"}, "0"),
        ({"args": "--select GD1 --exit-zero"}, "0"),
        ({"fail_on": "low"}, "1"),
        ({"targets": "nowhere"}, "2"),
        ({"targets": "$(touch ran) `touch ran` ; touch ran"}, "2"),
    ],
    ids=str,
)
def test_inputs_reach_the_command(tmp_path: Path, inputs: dict[str, str], code: str) -> None:
    """As words of their own, and nothing in them is run by the shell."""
    made = runner(tmp_path, **inputs)
    done = made.run("check")
    assert made.outputs["check"] == {"exit-code": code}, done.stdout + done.stderr
    assert str(made.run("gate").returncode) == code
    assert not list(tmp_path.rglob("ran"))


@needs_bash
def test_an_upload_needs_no_name_for_its_file(tmp_path: Path) -> None:
    """It lies among the files of the run, and not in the repository."""
    made = runner(tmp_path, targets="src", upload_sarif="true")
    made.run("check")
    assert made.outputs["check"]["sarif-file"] == str(tmp_path / "temp" / "gptdoctor.sarif")
    assert not list(made.workspace.rglob("*.sarif"))


@needs_bash
@pytest.mark.parametrize(
    ("inputs", "asked"),
    [
        ({}, [str(ROOT)]),
        ({"version": "0.1.0"}, ["gptdoctor==0.1.0"]),
        ({"mode": "live"}, ["torch", str(ROOT)]),
        ({"mode": "live", "torch": ""}, [str(ROOT)]),
        (
            {"mode": "live", "torch": "torch==2.4.*", "torch_index_url": "INDEX"},
            ["--index-url INDEX torch==2.4.*", str(ROOT)],
        ),
    ],
    ids=str,
)
def test_what_is_installed(tmp_path: Path, inputs: dict[str, str], asked: list[str]) -> None:
    """The action's own source, or a release; torch for live runs alone, from where it is said."""
    made = runner(tmp_path, **inputs)
    assert made.run("install").returncode == 0
    start = "install --disable-pip-version-check "
    assert made.asked_of_pip == [f"{start}{words}" for words in asked]


@needs_bash
def test_an_unknown_mode_is_told(tmp_path: Path) -> None:
    """Before anything is installed."""
    made = runner(tmp_path, mode="lively")
    done = made.run("install")
    assert done.returncode == 2
    assert "::error::" in done.stdout
    assert "lively" in done.stdout
