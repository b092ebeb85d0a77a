"""What stderr shows while a person waits, and nothing to draw with where nobody does.

Rich takes longer to load than a file to be scanned, and no machine-readable format needs it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, TextIO

from gptdoctor.core import events


class Listening(Protocol):
    """What listens to a checkup."""

    def listen(self, event: events.Event) -> None:
        """Take note of an event."""


def progress_on(stream: TextIO) -> AbstractContextManager[Listening]:
    """Progress on a terminal; elsewhere the troubles alone."""
    if not stream.isatty():
        return Troubles(stream)
    from gptdoctor.report.consoles import console_of
    from gptdoctor.report.progress import Progress

    return Progress(console_of(stream))


class Troubles:
    """Tells at the end what went wrong on the way, and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._troubles: list[str] = []

    def __enter__(self) -> Troubles:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for text in self._troubles:
            self._stream.write(f"gptdoctor: {text}\n")

    def listen(self, event: events.Event) -> None:
        """Keep a trouble."""
        if isinstance(event, events.Trouble):
            self._troubles.append(event.text)
