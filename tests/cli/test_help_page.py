"""`--help`: every option under its heading, and readable in a terminal of 80 columns."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from gptdoctor.cli.help_page import HEADINGS
from gptdoctor.cli.main import app


def page(command: str) -> str:
    """What `--help` prints."""
    done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "80"})
    assert done.exit_code == 0
    return done.output


def sections(text: str) -> dict[str, str]:
    """What stands under each heading."""
    parts = [part for part in text.split("\n\n") if part.partition("\n")[0].endswith(":")]
    return {part.partition(":\n")[0]: part.partition(":\n")[2] for part in parts}


def test_check_has_every_heading_and_no_option_beside_them() -> None:
    """An option that nobody put under a heading would stand under "Options"."""
    found = sections(page("check"))
    assert list(found) == ["Arguments", *HEADINGS]
    assert "--[no-]static" in found["How far to go"]
    assert "--diff-base REV" in found["What is known already"]


def test_what_only_one_command_has_comes_first() -> None:
    """`--apply` is what most ask the help of `fix` for."""
    found = sections(page("fix"))
    assert list(found)[:3] == ["Arguments", "Options", "Rules"]
    assert found["Options"].split()[0] == "--apply"
    assert "Result" not in found
    assert list(sections(page("rules"))) == ["Arguments", "Options"]  # few need no headings


@pytest.mark.parametrize("command", ["check", "fix", "report", "prove"])
def test_no_line_is_too_long_and_no_option_is_lost(command: str) -> None:
    """Each parameter of a command has its line."""
    text = page(command)
    assert max(map(len, text.splitlines())) <= 80
    for option in ("--python PATH", "--[no-]cache", "--traceback", "--help", "--exclude GLOBS"):
        assert text.count(f"  {option}") == 1
