"""What a person sees who waits."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from gptdoctor.core import events
from gptdoctor.report import progress as module
from gptdoctor.report.progress import Progress
from tests.report.screens import screen


def text_of(progress: Progress) -> str:
    """What would be drawn now."""
    console = screen(100)
    console.print(progress)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def written(console: Console) -> str:
    """All that went to the console."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_it_tells_what_is_going_on() -> None:
    """The scan, then each model with its probe, then what is done."""
    progress = Progress(screen())
    progress.listen(events.ScanStarted(4))
    assert "reading 4 files" in text_of(progress)
    progress.listen(events.ScanFinished(2))
    progress.listen(events.ModelStarted("a.py", "A"))
    progress.listen(events.ModelStarted("b.py", "B"))
    progress.listen(events.ProbeStarted("a.py", "A", "learning"))
    shown = text_of(progress)
    assert "examining" in shown
    assert "A  learning" in shown
    assert "B  building" in shown
    progress.listen(events.ModelFinished("a.py", "A"))
    shown = text_of(progress)
    assert "1 model done" in shown
    assert "learning" not in shown


def test_a_proof_is_counted() -> None:
    """During a repair the models are examined again for each fix."""
    progress = Progress(screen())
    progress.listen(events.ProofStarted("GD101", "a.py", 2, 7))
    assert "proving fix 2 of 7: GD101 in a.py" in text_of(progress)
    progress.listen(events.ProofStarted("GD101", "a.py", 3, 7, 4))
    assert "proving 4 of 5 fixes at once, " in text_of(progress)


def test_many_models_do_not_fill_the_screen() -> None:
    """The rest is a number."""
    progress = Progress(screen())
    for number in range(20):
        progress.listen(events.ModelStarted("a.py", f"M{number}"))
    lines = text_of(progress).splitlines()
    assert len(lines) == 1 + module.MOST_LINES + 1
    assert "and 14 more models" in lines[-1]


def test_a_pipe_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An stderr that is no terminal stays silent, however long it takes."""
    monkeypatch.setattr(module, "SILENT_SECONDS", 0.0)
    console = screen(terminal=False)
    with Progress(console) as progress:
        progress.listen(events.ScanStarted(1))
        threading.Event().wait(0.05)
    assert written(console) == ""


def test_short_work_shows_nothing() -> None:
    """It appears only after a second."""
    console = screen(terminal=True)
    with Progress(console) as progress:
        progress.listen(events.ScanStarted(1))
    assert written(console) == ""


def test_long_work_is_drawn_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The spinner is erased at the end, also after an error."""
    monkeypatch.setattr(module, "SILENT_SECONDS", 0.0)
    console = screen(terminal=True)
    with pytest.raises(KeyboardInterrupt), Progress(console) as progress:  # noqa: PT012
        progress.listen(events.ModelStarted("a.py", "Deep"))
        for _ in range(100):
            if "Deep" in written(console):
                break
            threading.Event().wait(0.05)
        raise KeyboardInterrupt
    shown = written(console)
    assert "Deep" in shown
    assert "\x1b[2K" in shown.rpartition("Deep")[2]  # the lines are erased
    assert shown.endswith(("\x1b[?25h", "\x1b[2K"))  # the cursor is back


def test_events_may_come_from_many_threads() -> None:
    """Models are examined side by side."""
    progress = Progress(screen())

    def work(number: int) -> None:
        for _ in range(50):
            progress.listen(events.ModelStarted("a.py", str(number)))
            text_of(progress)
            progress.listen(events.ModelFinished("a.py", str(number)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "200 models done" in text_of(progress)
