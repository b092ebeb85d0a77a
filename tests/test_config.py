"""`[tool.gptdoctor]`: what it may hold, who wins, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.cli.options import make_options
from gptdoctor.config import ModelConfig, Options
from gptdoctor.config_file import read_config
from gptdoctor.config_keys import bytes_of
from gptdoctor.core.errors import ConfigError, UsageError
from gptdoctor.core.findings import Severity

ALL = """
[tool.gptdoctor]
select = ["gd1", "GD301"]
ignore = "GD7"
fail-on = "medium"
strict = true
timeout = 5
seed = 7
memory = "1.5GiB"
jobs = 2
python = "env/bin/python"
cache = false

[tool.gptdoctor.models."src/model.py:GPT"]
build = "GPT(4)"
call = "model(ids)"
ignore = false
causal = false

[tool.gptdoctor.models.'src\\model.py::Outer.Inner']
ignore = true
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a file; it is the current folder."""
    (tmp_path / "model.py").write_text("import torch\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'it'\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_option_is_read(project: Path) -> None:
    """Keys are those of the command line; a relative interpreter is seen from the file."""
    (project / "pyproject.toml").write_text(ALL)
    assert make_options(["model.py"]) == Options(
        targets=("model.py",),
        select=("GD1", "GD301"),
        ignore=("GD7",),
        fail_on=Severity.MEDIUM,
        strict=True,
        timeout_seconds=5.0,
        seed=7,
        memory_bytes=3 * 2**29,
        jobs=2,
        python=project / "env/bin/python",
        cache=False,
        models={
            "src/model.py:GPT": ModelConfig(build="GPT(4)", call="model(ids)", causal=False),
            "src\\model.py:Outer.Inner": ModelConfig(ignore=True),
        },
    )


def test_the_command_line_comes_first_then_the_file_then_the_default(project: Path) -> None:
    """Also where the command line switches off what the file switches on."""
    (project / "pyproject.toml").write_text(
        "[tool.gptdoctor]\nseed = 7\nstrict = true\nselect = ['GD1']\n"
    )
    options = make_options([], seed=3, strict=False, select=["GD2"], timeout_seconds=None)
    assert (options.seed, options.strict, options.select) == (3, False, ("GD2",))
    assert make_options([]).seed == 7
    assert make_options([]).fail_on is Severity.HIGH


def test_the_file_of_the_target_s_project_counts(project: Path) -> None:
    """Not that of the folder in which the command is given."""
    other = project / "other"
    other.mkdir()
    (other / "pyproject.toml").write_text("[tool.gptdoctor]\nseed = 9\n")
    (other / "model.py").write_text("")
    assert make_options(["other/model.py"]).seed == 9
    assert make_options(["model.py"]).seed == 0


def test_a_project_without_a_file_has_the_defaults(tmp_path: Path) -> None:
    """No file, no table, another tool's table: all the same."""
    assert read_config(tmp_path).values == {}
    (tmp_path / "pyproject.toml").write_text("[tool.other]\nx = 1\n")
    assert read_config(tmp_path).values == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[tool.gptdoctor", "is not valid TOML"),
        ("[tool]\ngptdoctor = 3", "tool.gptdoctor is 3, and must be a table"),
        ("[tool.gptdoctor]\nfail_on = 'low'", "has no key 'fail_on'; it knows select, ignore"),
        ("[tool.gptdoctor]\nfail-on = 'huge'", "fail-on is 'huge', and must be one of ['critical'"),
        ("[tool.gptdoctor]\nstrict = 1", "strict is 1, and must be true or false"),
        ("[tool.gptdoctor]\nseed = true", "seed is true, and must be a whole number"),
        ("[tool.gptdoctor]\ntimeout = 0", "timeout is 0, and must be a number of seconds"),
        ("[tool.gptdoctor]\ntimeout = nan", "must be a number of seconds"),
        ("[tool.gptdoctor]\nselect = [1]", "select is [1], and must be a list of rules"),
        ("[tool.gptdoctor]\njobs = 0", "jobs is 0, and must be a whole number, 1 or more"),
        ("[tool.gptdoctor]\nmemory = '2 apples'", "memory is '2 apples', and must be a size"),
        ("[tool.gptdoctor]\npython = ''", "must be the path of an interpreter"),
        ("[tool.gptdoctor]\nmodels = 3", "[tool.gptdoctor.models] is 3, and must be a table"),
        ("[tool.gptdoctor.models]\nGPT = {}", 'names no model; write it as "path.py:Class"'),
        ("[tool.gptdoctor.models]\n'a.py:A' = 1", "is 1, and must be a table"),
        ("[tool.gptdoctor.models.'a.py:A']\nbuld = 'A()'", "has no key 'buld'; it knows build"),
        ("[tool.gptdoctor.models.'a.py:A']\nbuild = 3", "build is 3, and must be an expression"),
        ("[tool.gptdoctor.models.'a.py:A']\ncausal = 'no'", "causal is 'no', and must be true"),
    ],
)
def test_a_mistake_is_told_with_the_key_and_what_is_allowed(
    project: Path, text: str, told: str
) -> None:
    """One sentence that names the file."""
    (project / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigError) as error:
        make_options([])
    assert error.value.message.startswith("pyproject.toml")
    assert told in error.value.message
    assert "\n" not in error.value.message


def test_a_near_miss_is_guessed(project: Path) -> None:
    """The hint names the key that was meant."""
    (project / "pyproject.toml").write_text("[tool.gptdoctor]\nfail_on = 'low'\n")
    with pytest.raises(ConfigError) as error:
        make_options([])
    assert error.value.hint == "did you mean 'fail-on'?"


def test_an_unknown_rule_in_the_file_is_told_with_its_place(project: Path) -> None:
    """As on the command line, and where it stands."""
    (project / "pyproject.toml").write_text("[tool.gptdoctor]\nselect = ['GD99']\n")
    with pytest.raises(UsageError, match=r"pyproject\.toml.*select.*'GD99'"):
        make_options([])


def test_sizes_are_read_in_the_usual_units() -> None:
    """Bytes, and powers of 1024 and of 1000."""
    assert bytes_of(5) == 5
    assert bytes_of("512 MiB") == 2**29
    assert bytes_of("2gb") == 2 * 10**9
    for wrong in ("", "2", "GiB", "-1GiB", 0, True):
        with pytest.raises(ValueError, match=r"^"):
            bytes_of(wrong)
