"""The statement that takes the place of the stream, found in the text."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.nearby_statements import replacing_line


@pytest.mark.parametrize(
    ("body", "at", "line"),
    [
        ("x = f(x)\nreturn x", 2, 2),
        ("y = f(x)\nx = y\nreturn x", 2, 3),
        ("y = f(x)\nx = drop(y)\nreturn x", 2, 3),
        ("h = x\nx = f(x)\nx = x\nreturn x", 3, 4),
        ("y = f(x)\nreturn scale * y", 2, 3),
        ("return f(x)", 2, 2),
        ("h = x\nfor block in blocks:\n    h = block(h)\nreturn h", 4, 4),
        ("y = f(x)\nlog(y)\nreturn x", 2, None),
    ],
    ids=["itself", "renamed", "dropped", "idle", "returned", "at-once", "loop", "nowhere"],
)
def test_the_line_that_gives_an_argument_a_new_value(
    tmp_path: Path, body: str, at: int, line: int | None
) -> None:
    """The statement itself, or the first later one that takes what it made."""
    lines = "\n".join(f"    {each}" for each in body.splitlines())
    (tmp_path / "block.py").write_text(f"def forward(self, x):\n{lines}\n")
    place = Place(path="block.py", symbol="forward", line=at)
    assert replacing_line(place, str(tmp_path)) == line
