"""How long one probe may work, where the system can interrupt it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# What swallows the interruption once is interrupted again, until it lets go.
_AGAIN = 1.0


class TooLong(BaseException):
    """The time of a probe is over; no Exception, which the user's code might catch."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TooLong in here after so many seconds of the processor, on a slow machine as on a
    quick one.  What sleeps or waits is left to the limit of the whole model.
    """
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, ring)
    try:
        signal.setitimer(signal.ITIMER_PROF, seconds, _AGAIN)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
