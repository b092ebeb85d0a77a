"""What `--write-config` does to a pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from gptdoctor.config_file import read_config
from gptdoctor.core.diagnosis import ModelDiagnosis, SpecimenFacts, ToWrite, Verdict
from gptdoctor.core.errors import ConfigError
from gptdoctor.write_config import write_config


def built(name: str = "GPT", build: str = "GPT(97)", path: str = "m.py") -> ModelDiagnosis:
    """A model that was run."""
    specimen = SpecimenFacts(
        build=build, call="", parameters=1, entry="forward", expression="model(ids)"
    )
    return ModelDiagnosis(
        name=name,
        path=path,
        line=1,
        verdict=Verdict.TRAINABLE,
        reasons=(),
        specimen=specimen,
    )


def unbuilt() -> ModelDiagnosis:
    """A model that was not."""
    wanted = ToWrite(build="Hard(secret=...)", call="model(ids, x=...)", built=False)
    return ModelDiagnosis(
        name="Hard",
        path="m.py",
        line=9,
        verdict=Verdict.UNEXAMINED,
        reasons=("not built",),
        to_write=wanted,
    )


def test_a_missing_file_is_made(tmp_path: Path) -> None:
    """With the entry alone, which is read back as it was meant."""
    written = write_config(tmp_path, [built(build='GPT("a", width=8)')])
    assert written.added[0] == '[tool.gptdoctor.models."m.py:GPT"]'
    entry = read_config(tmp_path).models["m.py:GPT"]
    assert (entry.build, entry.call) == ('GPT("a", width=8)', "model(ids)")
    assert [file.name for file in tmp_path.iterdir()] == ["pyproject.toml"]


@pytest.mark.parametrize(
    "code", ["""GPT('a', "b")""", "GPT('a')", r"GPT('\n')", "GPT({'a': 1}, [\"ü\"])", "GPT(\n 1)"]
)
def test_any_code_is_read_back_as_it_was(tmp_path: Path, code: str) -> None:
    """Quotes of both kinds, backslashes, lines."""
    write_config(tmp_path, [built(build=code)])
    assert read_config(tmp_path).models["m.py:GPT"].build == code


def test_comments_and_formatting_stay(tmp_path: Path) -> None:
    """All lines of the file are there afterwards, in their order."""
    text = (
        "# mine\n[project]\nname   = 'x' # keep\n\n[tool.gptdoctor]\ntimeout = 30   # s\n\n"
        "[tool.other]\na = [\n  1, # one\n]\n"
    )
    file = tmp_path / "pyproject.toml"
    file.write_text(text)
    file.chmod(0o640)
    write_config(tmp_path, [built(), unbuilt()])
    lines = iter(file.read_text().splitlines())
    assert all(line in lines for line in text.splitlines() if line)
    assert file.stat().st_mode & 0o777 == 0o640
    assert tomllib.loads(file.read_text())["tool"]["other"] == {"a": [1]}


def test_a_user_s_own_entry_stays_and_that_is_told(tmp_path: Path) -> None:
    """Also one that names the class with two colons; one that says something else is added to."""
    text = (
        '[tool.gptdoctor.models."m.py::Mine"]\nbuild = "Mine(1)"\n\n'
        '[tool.gptdoctor.models."m.py:GPT"]\ncausal = false\n'
    )
    (tmp_path / "pyproject.toml").write_text(text)
    written = write_config(tmp_path, [built("Mine", "Mine(2)"), built()])
    assert written.kept == ("m.py:Mine",)
    models = read_config(tmp_path).models
    assert models["m.py:Mine"].build == "Mine(1)"
    assert (models["m.py:GPT"].build, models["m.py:GPT"].causal) == ("GPT(97)", False)


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    """Neither entries nor templates are written twice."""
    write_config(tmp_path, [built(), unbuilt()])
    first = (tmp_path / "pyproject.toml").read_text()
    written = write_config(tmp_path, [built(), unbuilt()])
    assert written.added == ()
    assert (tmp_path / "pyproject.toml").read_text() == first


def test_a_template_is_a_comment_that_becomes_an_entry(tmp_path: Path) -> None:
    """It says nothing until its marks are taken away."""
    write_config(tmp_path, [unbuilt()])
    file = tmp_path / "pyproject.toml"
    assert read_config(tmp_path).models == {}
    lines = [line.removeprefix("# ") for line in file.read_text().splitlines()[1:]]
    file.write_text("\n".join(lines))
    assert read_config(tmp_path).models["m.py:Hard"].build == "Hard(secret=...)"


@pytest.mark.parametrize(
    "text", ["[tool.gptdoctor\n", "tool = 3\n", "[tool.gptdoctor]\nmodels = 3\n"]
)
def test_a_file_that_cannot_be_added_to_is_left_alone(tmp_path: Path, text: str) -> None:
    """With a sentence that says so."""
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigError, match="nothing was written"):
        write_config(tmp_path, [built()])
    assert (tmp_path / "pyproject.toml").read_text() == text


def test_inline_tables_are_added_to(tmp_path: Path) -> None:
    """However the user writes his tables."""
    (tmp_path / "pyproject.toml").write_text(
        "tool.gptdoctor = { seed = 1, models = { 'a.py:A' = { ignore = true } } }\n"
    )
    write_config(tmp_path, [built()])
    assert read_config(tmp_path).models.keys() == {"a.py:A", "m.py:GPT"}
    assert read_config(tmp_path).values == {"seed": 1}


def test_line_ends_of_the_file_are_kept(tmp_path: Path) -> None:
    """A file from Windows stays one."""
    file = tmp_path / "pyproject.toml"
    file.write_bytes(b"[project]\r\nname = 'x'\r\n")
    write_config(tmp_path, [built(), unbuilt()])
    assert b"\n" not in file.read_bytes().replace(b"\r\n", b"")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it leads to is written."""
    (tmp_path / "real.toml").write_text("")
    (tmp_path / "pyproject.toml").symlink_to("real.toml")
    write_config(tmp_path, [built()])
    assert (tmp_path / "pyproject.toml").is_symlink()
    assert "GPT(97)" in (tmp_path / "real.toml").read_text()
