"""`[tool.gptdoctor]`: what it may hold, who wins, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.cli.options import make_options
from gptdoctor.config import DEFAULT_EXCLUDE, FileChoice, ModelConfig, Options
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


RULES = {
    "the file alone": ("select = ['GD1']\nignore = ['GD101']", {}, ("GD1",), ("GD101",)),
    "the command line in place of it": (
        "select = ['GD1']\nextend-select = ['GD2']",
        {"select": ["GD3"]},
        ("GD3",),
        (),
    ),
    "the command line beside it": (
        "select = ['GD1']\nignore = ['GD101']",
        {"extend_select": ["GD3"], "extend_ignore": ["GD102"]},
        ("GD1", "GD3"),
        ("GD101", "GD102"),
    ),
    "all, and a rule that is ignored with its family": (
        "ignore = ['GD1']\nextend-select = ['GD101']",
        {},
        ("GD", "GD101"),
        ("GD1",),
    ),
    "names": ("select = ['no-grad-in-forward']", {"ignore": ["GD2,no-progress"]}, ("GD101",), None),
}


@pytest.mark.parametrize(("text", "given", "select", "ignore"), RULES.values(), ids=RULES)
def test_rules_are_chosen_by_the_file_and_the_command_line(
    project: Path,
    text: str,
    given: dict[str, list[str]],
    select: tuple[str, ...],
    ignore: tuple[str, ...] | None,
) -> None:
    """What extends is added; `select` and `ignore` take the place of what was said before."""
    (project / "pyproject.toml").write_text(f"[tool.gptdoctor]\n{text}\n")
    options = make_options([], **given)
    assert options.select == select
    if ignore is not None:
        assert options.ignore == ignore


def test_a_rule_that_is_selected_by_itself_is_wanted_though_its_family_is_ignored(
    project: Path,
) -> None:
    """And all other rules stay as they were."""
    (project / "pyproject.toml").write_text(
        "[tool.gptdoctor]\nignore = ['GD1']\nextend-select = ['GD101']\n"
    )
    options = make_options([])
    assert [code for code in ("GD101", "GD102", "GD201") if options.wants(code)] == [
        "GD101",
        "GD201",
    ]


FULL = """
[tool.gptdoctor]
exclude = ["old/"]
extend-exclude = ["*_v1.py"]
respect-gitignore = false
force-exclude = true
baseline = "known.json"
per-file-ignores = {"legacy/*" = ["GD1", "no-progress"], "x.py" = "GD2"}
severity = {GD501 = "low", "no-progress" = "high"}
"""


def test_files_severities_and_the_baseline_are_read(project: Path) -> None:
    """With names as codes, and paths seen from the file."""
    (project / "pyproject.toml").write_text(FULL)
    options = make_options(["model.py"], extend_exclude=["a/, b/"], respect_gitignore=True)
    assert options.files == FileChoice(
        exclude=("old/", "*_v1.py", "a/", "b/"), respect_gitignore=True, force_exclude=True
    )
    assert options.baseline == project / "known.json"
    assert options.per_file_ignores == (("legacy/*", ("GD1", "GD903")), ("x.py", ("GD2",)))
    assert options.severities == (("GD501", Severity.LOW), ("GD903", Severity.HIGH))


def test_what_is_excluded_usually_stays_so_beside_what_extends_it(project: Path) -> None:
    """`exclude` takes its place, on the command line as well."""
    (project / "pyproject.toml").write_text("[tool.gptdoctor]\nextend-exclude = ['old/']\n")
    assert make_options([]).files.exclude == (*DEFAULT_EXCLUDE, "old/")
    assert make_options([], exclude=["x/"]).files.exclude == ("x/", "old/")


def test_a_file_builds_on_another_one(project: Path) -> None:
    """Its own word counts more, rules and patterns add up, and paths are seen from their file."""
    shared = project / "shared"
    shared.mkdir()
    (shared / "base.toml").write_text(
        "[tool.gptdoctor]\nseed = 1\ntimeout = 9\nselect = ['GD1']\nextend-ignore = ['GD101']\n"
        "extend-exclude = ['a/']\npython = 'bin/python'\nseverity = {GD1 = 'low', GD2 = 'low'}\n"
    )
    (project / "pyproject.toml").write_text(
        "[tool.gptdoctor]\nextend = 'shared/base.toml'\nseed = 2\nextend-select = ['GD3']\n"
        "extend-exclude = ['b/']\nseverity = {GD2 = 'high'}\n"
    )
    options = make_options([])
    assert (options.seed, options.timeout_seconds) == (2, 9.0)
    assert (options.select, options.ignore) == (("GD1", "GD3"), ("GD101",))
    assert options.files.exclude[-2:] == ("a/", "b/")
    assert options.python == shared / "bin/python"
    assert dict(options.severities) == {"GD1": Severity.LOW, "GD2": Severity.HIGH}


EXTENDING = {
    "no such file": ("extend = 'nowhere.toml'", "there is no file nowhere.toml, which"),
    "no path": ("extend = 3", "extend is 3, and must be the path of a TOML file"),
    "itself": ("extend = 'pyproject.toml'", "extend comes back to pyproject.toml"),
    "a file about other things": ("extend = 'other.toml'", "has no [tool.gptdoctor]"),
    "a file with a mistake": ("extend = 'wrong.toml'", "wrong.toml, which pyproject.toml extends"),
}


@pytest.mark.parametrize(("text", "told"), EXTENDING.values(), ids=EXTENDING)
def test_a_file_that_cannot_be_built_on_is_told(project: Path, text: str, told: str) -> None:
    """With the name of the file that asks for it."""
    (project / "other.toml").write_text("[tool.other]\n")
    (project / "wrong.toml").write_text("[tool.gptdoctor]\nsede = 1\n")
    (project / "pyproject.toml").write_text(f"[tool.gptdoctor]\n{text}\n")
    with pytest.raises(ConfigError) as error:
        make_options([])
    assert told in error.value.message
    assert "\n" not in error.value.message


def test_another_file_or_none_can_be_named(project: Path) -> None:
    """In place of the project's own; both at once make no sense."""
    (project / "pyproject.toml").write_text("[tool.gptdoctor]\nseed = 1\n")
    (project / "ci.toml").write_text("[tool.gptdoctor]\nseed = 2\n")
    assert make_options([], config=Path("ci.toml")).seed == 2
    assert make_options([], isolated=True).seed == 0
    with pytest.raises(UsageError, match="--isolated reads no file"):
        make_options([], isolated=True, config=Path("ci.toml"))
    with pytest.raises(ConfigError, match=r"there is no file nowhere\.toml"):
        make_options([], config=Path("nowhere.toml"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("per-file-ignores = ['a']", "per-file-ignores is ['a'], and must be a table of patterns"),
        ("per-file-ignores = {'a' = 3}", "must be a table of patterns and rules"),
        ("severity = {GD1 = 'bad'}", "severity is a table, and must be a table such as"),
        ("exclude = ['']", "exclude is [''], and must be a list of patterns"),
        ("baseline = ''", "baseline is '', and must be the path of a file"),
        ("respect-gitignore = 'yes'", "must be true or false"),
        ("exclud = []", "has no key 'exclud'"),
    ],
)
def test_a_mistake_in_the_newer_keys_is_told(project: Path, text: str, told: str) -> None:
    """As in the others."""
    (project / "pyproject.toml").write_text(f"[tool.gptdoctor]\n{text}\n")
    with pytest.raises(ConfigError) as error:
        make_options([])
    assert told in error.value.message


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("ignore = ['GD1O1']", "ignore", "did you mean 'GD101'?"),
        ("extend-select = ['no-progres']", "extend-select", "did you mean 'no-progress'?"),
        ("per-file-ignores = {'*' = ['X9']}", "per-file-ignores", "the rules are"),
        ("severity = {'GD77' = 'low'}", "severity", "the rules are"),
    ],
)
def test_a_rule_that_is_none_is_told_with_the_nearest(
    project: Path, text: str, place: str, hint: str
) -> None:
    """And with the key that names it."""
    (project / "pyproject.toml").write_text(f"[tool.gptdoctor]\n{text}\n")
    with pytest.raises(UsageError) as error:
        make_options([])
    assert f"[tool.gptdoctor] {place}: no rule begins with" in error.value.message
    assert error.value.hint.startswith(hint)
