"""The recipes of `docs/editors.md`, as far as their editors are here."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli import SICK
from tests.commands import ROOT, gptdoctor

PAGE = (ROOT / "docs" / "editors.md").read_text()
CONCISE = ("check", "--static", "--output-format", "concise")


def test_the_pattern_for_vs_code_reads_the_lines(tmp_path: Path) -> None:
    """File, line, column, code and message, under the numbers that the task gives them."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "sick.py").write_text(SICK)
    [line] = gptdoctor(*CONCISE, cwd=tmp_path).out.splitlines()
    written = re.search(r'"regexp": "(.+)"', PAGE)
    assert written is not None
    found = re.match(written[1].replace("\\\\", "\\"), line)
    assert found is not None
    numbers = dict(re.findall(r'"(file|line|column|code|message)": (\d)', PAGE))
    parts = {name: found[int(number)] for name, number in numbers.items()}
    assert "no_grad" in parts.pop("message")
    assert parts == {"file": "sick.py", "line": "13", "column": "6", "code": "GD101"}


@pytest.mark.skipif(shutil.which("vim") is None, reason="there is no vim here")
def test_vim_finds_the_place(tmp_path: Path) -> None:
    """`:make` with the settings of the page fills the list of places."""
    (tmp_path / "sick.py").write_text(SICK)
    settings = re.findall(r"^    (autocmd .+)$", PAGE, re.MULTILINE)
    command = shlex.join([sys.executable, "-m", "gptdoctor"]).replace(" ", "\\ ")
    rc = "\n".join(settings).replace("makeprg=gptdoctor", f"makeprg={command}")
    (tmp_path / "vimrc").write_text(f"set nocompatible\nfiletype on\n{rc}\n")
    place = "writefile([json_encode(map(filter(getqflist(), 'v:val.valid'), "
    place += "'[bufname(v:val.bufnr), v:val.lnum, v:val.col]'))], 'found.json')"
    commands = ("-c", "silent make!", "-c", f"call {place}", "-c", "qa!")
    subprocess.run(
        ["vim", "-u", "vimrc", "-n", "-es", "sick.py", *commands],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (tmp_path / "found.json").read_text().strip() == '[["sick.py",13,6]]'
