"""What a remedy does not mend stays to the byte, however the file is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.edits import Edits
from gptdoctor.remedies.parsed import ParsedSource
from tests.remedies import (
    test_argmax_ignores_temperature,
    test_empty_input_unguarded,
    test_expert_output_overwritten,
    test_no_grad_in_forward,
    test_no_training_loss,
    test_transposed_gate,
)
from tests.remedies.mending import PREFIX, dedented, mended

ARGMAX = test_argmax_ignores_temperature
EMPTY = test_empty_input_unguarded
EXPERTS = test_expert_output_overwritten
GATE = test_transposed_gate
LOSS = test_no_training_loss
NO_GRAD = test_no_grad_in_forward

TEXTS = {
    **{
        f"{NO_GRAD.MODULE}: {name}": PREFIX + dedented(before)
        for name, (before, _) in NO_GRAD.CASES.items()
    },
    **{f"{EXPERTS.MODULE}: {name}": EXPERTS.source(one[0]) for name, one in EXPERTS.CASES.items()},
    **{f"{GATE.MODULE}: {name}": GATE.source(one[0]) for name, one in GATE.CASES.items()},
    **{f"{ARGMAX.MODULE}: {name}": PREFIX + dedented(one[0]) for name, one in ARGMAX.CASES.items()},
    **{f"{LOSS.MODULE}: {name}": LOSS.whole(one[0]) for name, one in LOSS.CASES.items()},
    **{f"{EMPTY.MODULE}: {name}": PREFIX + dedented(one[0]) for name, one in EMPTY.CASES.items()},
}
HEADER = (
    "# -*- coding: utf-8 -*-\n"
    "\x0c\n"
    '"""Größe, 模型 …  """\n'
    "x = {'a':1,  'b' :2}   \n"
    "text = '''\n\ttabs and  blanks   \n'''\n"
    "if x:  pass ;  y=3 # odd\n"
)


def with_crlf(text: str) -> str:
    """Line ends as on Windows."""
    return text.replace("\n", "\r\n")


def with_tabs(text: str) -> str:
    """A tab for each four blanks at the beginning of a line."""
    lines = []
    for line in text.split("\n"):
        rest = line.lstrip(" ")
        depth, left = divmod(len(line) - len(rest), 4)
        lines.append("\t" * depth + " " * left + rest)
    return "\n".join(lines)


def without_end(text: str) -> str:
    """No line end at the end of the file."""
    return text.rstrip("\n")


def below_header(text: str) -> str:
    """Odd things above; `from __future__` must come first, so that it stays there."""
    head, separator, rest = text.rpartition("from __future__ import annotations\n")
    return head + separator + HEADER + rest


HOW: dict[str, Callable[[str], str]] = {
    "odd things, CRLF and no end": lambda text: with_crlf(without_end(below_header(text))),
    "a form feed and tabs": lambda text: "\x0c" + with_tabs(text),
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", TEXTS)
def test_how_a_file_is_written_is_kept(name: str, how: str, tmp_path: Path) -> None:
    """Mending a file written otherwise gives the mended file, written otherwise."""
    module = name.partition(":")[0]
    written = HOW[how]
    text = TEXTS[name]
    assert mended(module, written(text), tmp_path) == written(mended(module, text, tmp_path))


BROKEN = {
    "a syntax error": "def f(:\n",
    "what libcst cannot read": "def f():\n    x = 1\n \x0c   y = 2\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_would_not_come_back_is_declined(name: str) -> None:
    """Nothing is guessed of a text that the tree does not hold."""
    with pytest.raises(Declined):
        ParsedSource(BROKEN[name])


@pytest.mark.parametrize(
    "text",
    ["", "\n", "x = 1", "\x0cx = 1\n", "\ufeffx = 1\r\n", "a=1\r\nb=2\nc=3\rd=4\n", "if x:\n\ty\n"],
)
def test_a_text_comes_back_as_it_was(text: str) -> None:
    """Without a change the result is the text."""
    assert Edits(ParsedSource(text)).result() == text


def test_changes_that_meet_are_declined() -> None:
    """Two changes of one place would swallow one another."""
    source = ParsedSource("x = f(y)\n")
    edits = Edits(source)
    edits.replace_span((4, 8), "a")
    edits.replace_span((6, 7), "b")
    with pytest.raises(Declined):
        edits.result()
