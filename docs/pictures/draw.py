"""Draws the pictures of the README: what a person sees who runs the commands.

Each command runs for real, in a pseudo-terminal, on the reference models. Long output is cropped
in its middle, and the picture says how many lines are left out.

    python docs/pictures/draw.py            # all pictures
    python docs/pictures/draw.py check fix  # some of them
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[2]
COLUMNS = 102  # a diff of code that is 100 wide fits
ROWS = 50


@dataclass(frozen=True)
class Picture:
    """One command, and which lines of its output are shown."""

    name: str
    arguments: tuple[str, ...]
    first: int  # lines from the beginning, at most
    last: int  # lines from the end, at most


PICTURES = (
    Picture("check", ("check", "reference_models"), first=31, last=31),
    Picture("fix", ("fix", "reference_models"), first=33, last=24),
    Picture("report", ("report", "reference_models"), first=31, last=59),
)


def seen(arguments: Sequence[str]) -> str:
    """What the command writes to a terminal; its progress on stderr is no part of the result."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")
    }
    with subprocess.Popen(
        [sys.executable, "-m", "gptdoctor", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=environment | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
    ) as process:
        os.close(theirs)
        shown = b"".join(chunks(ours))
        _, trouble = process.communicate()
    if process.returncode not in (0, 1):  # 1: the models are sick, which is what we show
        raise SystemExit(trouble.decode())
    return shown.decode().replace("\r\n", "\n")


def chunks(terminal: int) -> Iterator[bytes]:
    """What comes out of a pseudo-terminal until its other side is closed."""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # how Linux tells the end
            chunk = b""
        if not chunk:
            os.close(terminal)
            return
        yield chunk


def cropped(lines: Sequence[Text], picture: Picture) -> list[Text]:
    """The lines that are shown, whole blocks of them, with a line that counts the others."""
    empty = [index for index, line in enumerate(lines) if not line.plain.strip()]
    stop = max((index for index in empty if index <= picture.first), default=picture.first)
    start = len(lines) - picture.last
    start = min((index + 1 for index in empty if index >= start), default=start)
    if start - stop <= 1:
        return list(lines)
    count = Text(f"  ⋮  {start - stop} lines left out in this picture", style="dim italic")
    return [*lines[:stop], Text(), count, Text(), *lines[start:]]


def draw(picture: Picture) -> Path:
    """Write one picture and give its file."""
    output = seen(picture.arguments).rstrip("\n")
    lines = [Text.from_ansi(line) for line in output.split("\n")]
    command = " ".join(("gptdoctor", *picture.arguments))
    console = Console(
        width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True, highlight=False
    )
    for line in (Text.assemble(("$ ", "dim"), (command, "bold")), *cropped(lines, picture)):
        console.print(line, soft_wrap=True)
    file = Path(__file__).with_name(f"{picture.name}.svg")
    file.write_text(console.export_svg(title=command), encoding="utf-8")
    return file


def main(names: Sequence[str]) -> None:
    """Draw the pictures of these names, or all of them."""
    for picture in PICTURES:
        if not names or picture.name in names:
            print(f"wrote {draw(picture).relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
