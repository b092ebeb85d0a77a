"""Ctrl-C: the first one ends the work, and none disturbs the clean-up or a file being written."""

from __future__ import annotations

import signal
from types import FrameType

NOTHING_WRITTEN = "nothing was written"


class Interrupted(BaseException):
    """The user wants no more. Its notes say what has become of the work.

    No KeyboardInterrupt: typer ends on that by itself, in words or silence of its own.
    """


def end_on_interrupt() -> None:
    """Have the next Ctrl-C raise Interrupted, wherever the main thread is.

    A shell has what runs in its background ignore it, and that stays.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)


def ignore_interrupts() -> None:
    """Let no Ctrl-C come between from now on: what is left to do takes a moment."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def told(interrupt: Interrupted) -> str:
    """What a user is told: that nothing was written, and what the notes add."""
    notes = getattr(interrupt, "__notes__", ())
    return ", and ".join(("interrupted; " + NOTHING_WRITTEN, *notes))


def _interrupt(number: int, frame: FrameType | None) -> None:
    # Who presses the keys twice would otherwise break off the ending of the processes.
    ignore_interrupts()
    raise Interrupted
