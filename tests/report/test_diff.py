"""What `gptdoctor fix` shows."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from gptdoctor.core.diagnosis import Verdict
from gptdoctor.core.repairs import Applicability, Patch, RepairOutcome
from gptdoctor.report.diff import diff_lines, print_repair
from tests.report import samples
from tests.report.screens import WIDTHS, flat, printed


def text_of(
    outcomes: tuple[RepairOutcome, ...],
    patches: tuple[Patch, ...],
    *,
    applied: bool = False,
    width: int = 80,
    terminal: bool = False,
) -> str:
    """The whole output."""

    def draw(console: Console) -> None:
        print_repair(console, outcomes, patches, applied=applied)

    return printed(draw, width, terminal=terminal)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    """The proof of each fix is wrapped."""
    shown = text_of(samples.OUTCOMES, (samples.PATCH,), width=width)
    assert all(len(line) <= width for line in shown.splitlines())


def test_every_outcome_is_told_with_its_reason() -> None:
    """Rule, place, what it does, how far it may go, and what was shown."""
    shown = flat(text_of(samples.OUTCOMES, (samples.PATCH,)))
    assert "PROVEN GD101 no-grad-in-forward reference_models/gpto3_model.py:178" in shown
    assert "fix Remove the decorator (safe)" in shown
    assert "shown gradient-flow: trigger_head.weight and trigger_head.bias get a gradient" in shown
    assert "UNPROVEN GD601" in shown
    assert "FAILED GD201" in shown
    assert "because after the edit forward fails at B=3, T=7" in shown
    assert "DECLINED GD301" in shown
    assert "4 fixes: 1 proven, 1 unproven, 1 failed, 1 declined." in shown


def test_a_fix_that_is_held_back_shows_what_it_would_write() -> None:
    """The user can judge it; indented, so that `git apply` does not take it for the patch."""
    shown = text_of(samples.OUTCOMES, (samples.PATCH,))
    assert "\n    +b = 2\n" in shown  # the unproven one
    assert shown.count("@torch.no_grad()") == 1  # the proven one is in the patch above


def test_a_fix_that_later_ones_were_built_on_is_not_held_back() -> None:
    """The patch of a file joins several fixes, each made on the text of the one before."""
    first = Patch(path="a.py", before="1\n", after="2\n")
    second = Patch(path="a.py", before="2\n", after="3\n")
    outcomes = tuple(dataclasses.replace(samples.PROVEN, patch=one) for one in (first, second))
    shown = text_of(outcomes, (Patch(path="a.py", before="1\n", after="3\n"),))
    assert "not taken" not in shown


def test_the_verdicts_before_and_after_are_told() -> None:
    """What the repair is worth, and what still stands in the way."""
    healed = dataclasses.replace(samples.FOUR_O_MODEL, verdict=Verdict.TRAINABLE, reasons=())
    after = dataclasses.replace(samples.REFERENCE, models=(healed, *samples.REFERENCE.models[1:]))

    def draw(console: Console) -> None:
        print_repair(
            console,
            (samples.PROVEN,),
            (samples.PATCH,),
            applied=False,
            before=samples.REFERENCE,
            after=after,
        )

    shown = flat(printed(draw))
    assert "GPT4oModel untrainable → trainable" in shown
    assert "GPTo3Model untrainable because no_grad at" in shown


def test_a_fix_that_is_only_shown_is_promised_to_no_flag() -> None:
    """`display`: there is nothing that writes it."""
    outcome = dataclasses.replace(samples.UNPROVEN, applicability=Applicability.DISPLAY)
    shown = text_of((outcome,), ())
    assert "+b = 2" in shown
    assert "--un" not in shown


def test_a_dry_run_says_that_nothing_was_written_and_what_writes_it() -> None:
    """The next command, and the flags that let more through."""
    shown = flat(text_of(samples.OUTCOMES, (samples.PATCH,)))
    assert "Nothing was written. Next: --apply writes the diff above (1 file)." in shown
    assert "--unproven adds 1 fix that no probe could judge." in shown
    assert "--unsafe-fixes" not in shown
    unsafe = dataclasses.replace(samples.PROVEN, applicability=Applicability.UNSAFE)
    shown = flat(text_of((unsafe,), ()))
    assert "--unsafe-fixes adds 1 fix that guess" in shown
    assert "Next:" not in shown


def test_what_was_written_is_counted() -> None:
    """After --apply."""
    shown = text_of((samples.PROVEN,), (samples.PATCH,), applied=True)
    assert "Wrote 1 file." in shown
    assert "Nothing" not in shown


def test_when_nothing_could_be_written_it_says_so() -> None:
    """--apply with fixes that failed writes nothing, and no command is promised to."""
    shown = text_of((samples.REJECTED,), (), applied=True)
    assert "Nothing was written." in shown
    assert "Next" not in shown


def test_no_findings_no_fixes() -> None:
    """A healthy project."""
    assert "Nothing to repair." in text_of((), ())


PATCHES = {
    "plain": samples.PATCH,
    "no line end at the end": Patch(path="a.py", before="x\ny", after="x\nz"),
    "a line end is added": Patch(path="a.py", before="x\ny", after="x\ny\n"),
    "windows line ends": Patch(path="a.py", before="x\r\ny\r\n", after="x\r\nz\r\n"),
    "odd separators": Patch(
        path="a.py", before="x = '\u2028\x0c'\ny\n", after="x = '\u2028\x0c'\nz\n"
    ),
    "dashes": Patch(path="a.py", before="-- a\n++ b", after="-- b\n++ a"),
    "a new file": Patch(path="a.py", before="", after="x\n"),
}


@pytest.mark.parametrize("patch", PATCHES.values(), ids=PATCHES)
def test_what_is_piped_can_be_applied(patch: Patch, tmp_path: Path) -> None:
    """`gptdoctor fix | git apply` gives the repaired file."""
    file = tmp_path / patch.path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(patch.before.encode())
    shown = text_of((dataclasses.replace(samples.PROVEN, patch=patch),), (patch,))
    piped = "\n".join([*diff_lines(patch), ""]).encode()
    subprocess.run(["git", "apply", "-"], input=piped, cwd=tmp_path, check=True)
    assert patch.after.encode() == file.read_bytes()
    assert "\n".join(diff_lines(patch)) in shown


def test_a_terminal_gets_colours_and_no_control_characters() -> None:
    """A source file cannot paint on the terminal."""
    patch = Patch(path="a.py", before="x = 1\r\n", after="x = '\x1b[2J'\r\n")
    shown = text_of((samples.PROVEN,), (patch,), terminal=True)
    assert "\x1b[32m+x" in shown
    assert "\x1b[2J" not in shown
    assert "\r" not in shown
