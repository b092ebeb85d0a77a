"""A text on stdin that stands for a file: `-` and `--stdin-filename`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import HEALTHY, SICK
from tests.commands import Done, gptdoctor

JSON = ("--output-format", "json")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a package, and a configuration that silences a rule."""
    package = tmp_path / "src" / "pkg"
    package.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[tool.gptdoctor]\nignore = ['GD6']\n")
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text("WIDTH = 8\n")
    return tmp_path


def piped(data: str | bytes, *words: str, cwd: Path) -> Done:
    """Run `gptdoctor WORDS` with this on stdin."""
    return gptdoctor(*words, cwd=cwd, stdin=data.encode() if isinstance(data, str) else data)


def scanned(data: str | bytes, name: str, cwd: Path) -> dict[str, Any]:
    """The document of a static check of this text, as if it lay at `name`."""
    return piped(data, "check", "--static", *JSON, "-", "--stdin-filename", name, cwd=cwd).document


@pytest.mark.parametrize(("text", "code"), [(SICK, 1), (HEALTHY, 0), ("", 0), ("def (:", 1)])
def test_exit_codes_are_those_of_a_file(project: Path, text: str, code: int) -> None:
    """Findings, none, nothing at all, and no Python."""
    words = ("check", "--static", "-", "--stdin-filename", "src/pkg/model.py")
    done = piped(text, *words, cwd=project)
    assert done.code == code, done.out + done.err
    assert done.err == ""


def test_the_text_is_read_in_the_place_of_the_file(project: Path) -> None:
    """What is on the disk is not looked at, and not touched."""
    file = project / "src" / "pkg" / "model.py"
    file.write_text(SICK)
    assert scanned(HEALTHY, "src/pkg/model.py", project)["findings"] == []
    assert file.read_text() == SICK


@pytest.mark.parametrize("name", ["src/pkg/new.py", "src/pkg/deeper/still/new.py"])
def test_a_file_need_not_be_there_yet(project: Path, name: str) -> None:
    """Nor its folder: findings name it from the project's root."""
    [finding] = scanned(SICK, name, project)["findings"]
    assert (finding["rule"], finding["path"]) == ("GD101", name)
    assert not (project / name).exists()


def test_relative_imports_start_where_the_file_would_lie(project: Path) -> None:
    """What the package holds resolves, what it does not hold is found missing."""
    text = "import torch\nfrom .parts import WIDTH\nfrom .parts import HEIGHT\n" + HEALTHY
    found = scanned(text, "src/pkg/model.py", project)["findings"]
    assert [(one["rule"], one["line"]) for one in found] == [("GD501", 3)]


def test_the_configuration_is_that_of_the_file_from_any_folder(project: Path) -> None:
    """An editor starts where it likes, and gives the whole path."""
    elsewhere = project.parent
    config = project / "pyproject.toml"
    config.write_text("[tool.gptdoctor]\nignore = ['GD101']\n")
    name = str(project / "src" / "pkg" / "model.py")
    assert scanned(SICK, name, elsewhere)["findings"] == []
    config.write_text("")
    [finding] = scanned(SICK, name, elsewhere)["findings"]
    assert finding["path"] == "src/pkg/model.py"


def test_a_text_without_a_name_lies_in_the_current_folder(project: Path) -> None:
    """Under a name that says where it came from."""
    done = piped(SICK, "check", "--static", *JSON, "-", cwd=project)
    assert [one["path"] for one in done.document["findings"]] == ["stdin.py"]
    assert done.code == 1


def test_the_encoding_is_the_one_that_the_text_declares(project: Path) -> None:
    """Else UTF-8, with or without a mark."""
    sick = "# coding: latin-1\n" + SICK.replace("@torch", "é = 'é'; x = 1\n    @torch")
    for data in (sick.encode("latin-1"), sick.replace("latin-1", "utf-8").encode("utf-8-sig")):
        [finding] = scanned(data, "src/pkg/model.py", project)["findings"]
        assert (finding["rule"], finding["line"], finding["column"]) == ("GD101", 15, 6)


def test_bytes_that_are_no_text_are_an_error_of_the_file(project: Path) -> None:
    """As they are on the disk: told, and exit code 1."""
    words = ("check", "--static", *JSON, "-", "--stdin-filename", "src/pkg/model.py")
    done = piped(b"x = '\xff'\n", *words, cwd=project)
    assert [one["kind"] for one in done.document["errors"]] == ["encoding-error"]
    assert done.code == 1


def test_a_notebook_is_read_as_one(project: Path) -> None:
    """Its JSON is what an editor holds."""
    cell = {"cell_type": "code", "metadata": {}, "source": SICK, "outputs": []}
    notebook = json.dumps({"cells": [cell], "nbformat": 4, "nbformat_minor": 5, "metadata": {}})
    [finding] = scanned(notebook, "study.ipynb", project)["findings"]
    assert (finding["path"], finding["cell"]) == ("study.ipynb", 1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-", "src"), "no other targets"),
        (("src", "--stdin-filename", "src/pkg/model.py"), "--stdin-filename"),
        (("-", "--stdin-filename", "src"), "src"),
        (("-", "--stdin-filename", "notes.txt"), "notes.txt"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_wrong_call_is_one_sentence(project: Path, words: tuple[str, ...], told: str) -> None:
    """Exit code 2, and stdout stays empty."""
    done = piped(SICK, "check", "--static", *words, cwd=project)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert len(done.err.strip().splitlines()) <= 2


def test_a_text_is_run_and_mended_as_a_file_would_be(project: Path) -> None:
    """Its model is examined under the name that it will have, and what is proven is printed."""
    pytest.importorskip("torch")
    text = SICK.replace("import torch\n", "import torch\nfrom .parts import WIDTH\n", 1)
    crlf = text.replace("\n", "\r\n").encode()
    words = ("--select", "GD101", "-", "--stdin-filename", "src/pkg/new.py")
    live = piped(crlf, "check", "--fast", *JSON, *words, cwd=project).document
    assert [one["verdict"] for one in live["models"]] == ["untrainable"]
    done = piped(crlf, "fix", *words, cwd=project)
    assert done.out.encode() == crlf.replace(b"    @torch.no_grad()\r\n", b"")
    assert "PROVEN GD101" in done.err
    assert "Nothing was written" not in done.err
    assert done.code == 0
    assert not (project / "src" / "pkg" / "new.py").exists()


def test_apply_has_no_file_to_write(project: Path) -> None:
    """What is on stdin is printed, whatever file it stands for."""
    done = piped(SICK, "fix", "--apply", "-", cwd=project)
    assert (done.code, done.out) == (2, "")
    assert "--apply" in done.err


def test_a_text_of_an_excluded_file_is_left_alone_where_that_is_asked_for(project: Path) -> None:
    """As editors ask, who do not know what a project excludes."""
    name = ("-", "--stdin-filename", "old/model.py", "--extend-exclude", "old")
    words = ("check", "--static", *JSON, *name)
    assert len(piped(SICK, *words, cwd=project).document["findings"]) == 1
    done = piped(SICK, *words, "--force-exclude", cwd=project)
    assert (done.code, done.document["findings"]) == (0, [])
