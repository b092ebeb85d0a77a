"""What is there to be pasted means the same after it was broken."""

from __future__ import annotations

import ast
import dataclasses
import shlex
import shutil
import subprocess
import tomllib

import pytest
from rich.console import Console

from gptdoctor.config import toml_string
from gptdoctor.core.diagnosis import ToWrite, Verdict
from gptdoctor.report.pasted import pasted_lines, python, shell, toml
from gptdoctor.report.text_models import print_model
from tests.report import samples
from tests.report.screens import printed

BUILD = (
    "Encoder(layer=Attention(dim=64, heads=[4, 4], sizes={'a, b': (1, 2)}), "
    'norm=Norm(64), words="x, y", table=lambda i: (i, i))'
)
CALL = "model(ids=torch.randint(97, (3, 7)), seq_out=torch.randint(97, (3, 7)), flag=True)"


@pytest.mark.parametrize("code", [BUILD, CALL, "f(" + "x" * 90 + ", 1)", "'a, b, ' * 20"])
@pytest.mark.parametrize("width", [20, 40, 60, 200])
def test_python_is_broken_where_it_stays_one_expression(code: str, width: int) -> None:
    """After commas between brackets, and nowhere in a string."""
    lines = pasted_lines(python(code), width)
    assert ast.dump(ast.parse("\n      ".join(lines))) == ast.dump(ast.parse(code))
    assert (len(lines) == 1) is (width == 200 or ("(" not in code) or len(code) <= width)


def test_outer_commas_are_broken_at_before_inner_ones() -> None:
    """An argument stays whole where it fits into a line."""
    assert pasted_lines(python(CALL), 40) == [
        "model(ids=torch.randint(97, (3, 7)),",
        "seq_out=torch.randint(97, (3, 7)),",
        "flag=True)",
    ]


def test_what_is_no_python_is_left_whole() -> None:
    """Nothing is broken of which nobody knows where."""
    for code in ("f(a, 'b, " + "c" * 30, "f(a,\n  b" + "c" * 30 + ")"):
        assert pasted_lines(python(code), 20) == [code]


@pytest.mark.skipif(shutil.which("sh") is None, reason="there is no shell here")
def test_a_command_goes_on_in_the_next_line() -> None:
    """A shell reads the words that were meant."""
    words = ["gptdoctor check", "my\\ models/gpt.py::GPT", f"--build {shlex.quote(BUILD)}"]
    lines = pasted_lines(shell(words), 30)
    assert len(lines) == 3
    script = "\n             ".join(lines).replace("gptdoctor", "printf '%s\\n'")
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["check", "my models/gpt.py::GPT", "--build", BUILD]


@pytest.mark.parametrize(
    "code", [BUILD, CALL, "f('''a''', " + "b, " * 30 + ")", r"f('\n', " + "b," * 40 + ")"]
)
def test_an_entry_of_toml_holds_the_same_expression(code: str) -> None:
    """In a string of several lines, or in one that is not broken."""
    line = f"build = {toml_string(code)}"
    read = tomllib.loads("\n             ".join(pasted_lines(toml(line), 40)))
    assert ast.dump(ast.parse(read["build"])) == ast.dump(ast.parse(code))
    head = f'[tool.gptdoctor.models."{"deep/" * 20}gpt.py:GPT"]'
    assert pasted_lines(toml(head), 40) == [head]


def test_a_model_shows_its_code_over_the_whole_screen() -> None:
    """Prose ends at 100 columns, what is pasted does not; and a long line is not broken by us."""
    wanted = ToWrite(build="GPT(" + "x" * 100 + "=...)", call="model(ids)", built=False)
    specimen = samples.FOUR_O_MODEL.specimen
    assert specimen is not None
    model = dataclasses.replace(
        samples.FOUR_O_MODEL,
        verdict=Verdict.UNEXAMINED,
        specimen=dataclasses.replace(specimen, build=BUILD),
        to_write=wanted,
    )

    def draw(console: Console) -> None:
        print_model(console, model)

    assert f"  build      {BUILD}\n" in printed(draw, 200)
    narrow = printed(draw, 80)
    assert f'             build = "{wanted.build}"\n' in narrow
    assert f"             --build '{wanted.build}' \\\n" in narrow
