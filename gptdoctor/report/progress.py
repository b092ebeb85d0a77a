"""What a long work is doing, on stderr, for a person who waits."""

from __future__ import annotations

import threading
import time
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.text import Text

from gptdoctor.core import events
from gptdoctor.report.amounts import count
from gptdoctor.report.prose import visible

if TYPE_CHECKING:
    # What draws is loaded when something is drawn.
    from rich.live import Live
    from rich.spinner import Spinner

SILENT_SECONDS = 1.0  # what is over sooner needs no progress
MOST_LINES = 6  # of models that run at once
_FRAMES_PER_SECOND = 8


class Progress:
    """Draws the events of a checkup; a context manager whose `listen` is the listener.

    It appears only when the work lasts, leaves nothing behind, and is silent where stderr is no
    terminal. Events may come from several threads.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()  # of what is known
        self._stage = threading.Lock()  # of coming and going; drawing never takes it
        self._started = time.monotonic()
        self._doing = "reading"
        self._proof = ""
        self._finished = 0
        self._running: dict[tuple[str, str], str] = {}  # by model: the probe, "" while it is built
        self._troubles: list[str] = []  # told when the drawing has ended
        self._live: Live | None = None
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Progress:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._timer = threading.Timer(SILENT_SECONDS, self._appear)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stage:
            timer, live = self._timer, self._live
            self._timer = self._live = None
        if timer is not None:
            timer.cancel()
        if live is not None:
            live.stop()
        for text in self._troubles:
            self._console.print(f"gptdoctor: {text}", soft_wrap=True)

    def listen(self, event: events.Event) -> None:
        """Take note of an event."""
        with self._lock:
            self._note(event)

    def __rich__(self) -> Group:
        """What is going on now."""
        with self._lock:
            head = Text(self._headline())
            lines = [_model_line(name, probe) for (_, name), probe in self._running.items()]
        self._spinner.update(text=head)
        rest = len(lines) - MOST_LINES
        more = [Text(f"  and {count(rest, 'more model')}", style="aside")] if rest > 0 else []
        return Group(self._spinner, *lines[:MOST_LINES], *more)

    def _appear(self) -> None:
        from rich.live import Live

        with self._stage:
            if self._timer is None:  # the work ended while we were on our way
                return
            self._live = Live(
                get_renderable=self.__rich__,
                console=self._console,
                transient=True,
                refresh_per_second=_FRAMES_PER_SECOND,
            )
            self._live.start()

    @cached_property
    def _spinner(self) -> Spinner:
        from rich.spinner import Spinner

        return Spinner("dots", style="progress.spinner")

    def _note(self, event: events.Event) -> None:
        match event:
            case events.ScanStarted():
                self._doing = f"reading {count(event.files, 'file')}"
            case events.ScanFinished():
                self._doing = "examining"
            case events.ModelStarted():
                self._doing = "examining"
                self._running[event.path, event.name] = ""
            case events.ProbeStarted():
                self._running[event.path, event.name] = event.probe
            case events.ModelFinished():
                self._running.pop((event.path, event.name), None)
                self._finished += 1
            case events.Trouble():
                self._troubles.append(event.text)
            case events.ProofStarted():
                self._finished = 0
                self._proof = _proof(event)

    def _headline(self) -> str:
        seconds = int(time.monotonic() - self._started)
        done = f", {count(self._finished, 'model')} done" if self._finished else ""
        return f"{self._proof}{self._doing}{done}, {seconds} s"


def _proof(event: events.ProofStarted) -> str:
    if event.together > 1:
        return f"proving {event.together} of {event.total - event.index + 1} fixes at once, "
    return f"proving fix {event.index} of {event.total}: {event.rule} in {visible(event.path)}, "


def _model_line(name: str, probe: str) -> Text:
    return Text.assemble("  ", (visible(name), "strong"), f"  {probe or 'building'}")
