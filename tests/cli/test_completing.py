"""Completion of words in a shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gptdoctor.catalog import all_defects, told_rules
from tests.commands import ROOT

MAIN = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT)!r})
from gptdoctor.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with `gptdoctor` on the path, as an installation puts it there."""
    home = tmp_path_factory.mktemp("home")
    (home / "bin").mkdir()
    command = home / "bin" / "gptdoctor"
    command.write_text(MAIN)
    command.chmod(0o755)
    return home


def ran(home: Path, *words: str, **variables: str) -> str:
    """What a command prints in that home."""
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    known = {**os.environ, "PATH": path, "HOME": str(home), **variables}
    done = subprocess.run(
        words, env=known, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr == ""
    return done.stdout


def offered(home: Path, line: str) -> list[str]:
    """What is offered for the last word of a line, as typer's script asks for it."""
    asked = {"_GPTDOCTOR_COMPLETE": "complete_bash", "COMP_WORDS": line}
    word = str(line.count(" "))
    return ran(home, sys.executable, str(home / "bin/gptdoctor"), **asked, COMP_CWORD=word).split()


def codes(*beginnings: str) -> list[str]:
    """The codes that begin so."""
    return [one.code for one in all_defects() if one.code.startswith(beginnings)]


def test_the_text_of_the_rules_tells_what_the_catalog_tells() -> None:
    """Which is read for completion, because to load all rules takes a third of a second."""
    assert told_rules() == {one.code: one.name for one in all_defects()}


def test_completion_loads_no_rule_and_nothing_heavy() -> None:
    """A person waits for each press of the key."""
    code = "import sys, gptdoctor.cli.main; from gptdoctor.cli.completing import rules_joined as r"
    code += "; assert r('GD1'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    heavy = ("gptdoctor.defects.", "gptdoctor.scan", "torch", "libcst", "rich.console")
    assert not [name for name in loaded if name.startswith(heavy)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("gptdoctor explain GD10", codes("GD10")),
        ("gptdoctor explain ", codes("GD")),
        ("gptdoctor explain no-grad", ["no-grad-in-forward"]),
        ("gptdoctor rules routin", None),
        ("gptdoctor check --select GD2", codes("GD2")),
        ("gptdoctor check --ignore GD101,GD10", [f"GD101,{one}" for one in codes("GD10")[1:]]),
        ("gptdoctor prove --rule GD8", codes("GD8")),
        ("gptdoctor check --fail-on cri", ["critical"]),
        ("gptdoctor check --output-format js", None),
        ("gptdoctor check --stat", ["--static"]),
        ("gptdoctor expl", ["explain"]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_words_are_offered(home: Path, line: str, words: list[str] | None) -> None:
    """Rules where rules are asked for, and the values of what has a list of them."""
    found = offered(home, line)
    last = line.rpartition(" ")[2]
    assert found == words if words else all(word.startswith(last) for word in found)
    expected = {"routin": "routing", "js": "json"}.get(last)
    assert expected is None or expected in found


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes_once_completion_is_installed(home: Path) -> None:
    """By the file that `--install-completion` writes, in a shell of its own."""
    told = ran(home, "gptdoctor", "--install-completion", "bash")
    assert "bash completion installed" in told
    script = home / ".bash_completions" / "gptdoctor.sh"
    press = (
        f"source {script}; complete -p gptdoctor; COMP_WORDS=(gptdoctor explain GD10); "
        'COMP_CWORD=2; _gptdoctor_completion gptdoctor; echo "${COMPREPLY[*]}"'
    )
    shown = ran(home, "bash", "--norc", "--noprofile", "-c", press).splitlines()
    assert shown == [
        "complete -o default -F _gptdoctor_completion gptdoctor",
        " ".join(codes("GD10")),
    ]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh here")
def test_zsh_takes_the_script(home: Path) -> None:
    """It parses, and defines the function that is asked."""
    script = ran(home, "gptdoctor", "--show-completion", "zsh")
    (home / "_gptdoctor").write_text(script)
    assert ran(home, "zsh", "-n", str(home / "_gptdoctor")) == ""


def test_zsh_and_fish_are_told_what_words_mean(home: Path) -> None:
    """With the name of each code beside it."""
    for shell, arguments in (
        ("zsh", "gptdoctor explain GD101"),
        ("fish", "gptdoctor explain GD101"),
    ):
        asked = {
            "_GPTDOCTOR_COMPLETE": f"complete_{shell}",
            "_TYPER_COMPLETE_ARGS": arguments,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        shown = ran(home, sys.executable, str(home / "bin/gptdoctor"), **asked)
        assert "GD101" in shown
        assert "no-grad-in-forward" in shown
