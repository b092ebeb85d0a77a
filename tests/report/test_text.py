"""What `gptdoctor check` shows in the terminal."""

from __future__ import annotations

import dataclasses

import pytest
from rich.console import Console

from gptdoctor.core.diagnosis import Examination, UnmeasuredProbe
from gptdoctor.core.findings import Evidence, Severity, Status
from gptdoctor.core.repairs import Applicability
from gptdoctor.report.text import print_examination
from tests.report import samples
from tests.report.screens import WIDTHS, flat, printed
from tests.report.written import many

ESCAPE = "\x1b"


def text_of(examination: Examination, width: int = 80, *, terminal: bool = False) -> str:
    """The whole output, with a gate that failed."""

    def draw(console: Console) -> None:
        print_examination(console, examination, gate=samples.FAILED, targets=("models dir",))

    return printed(draw, width, terminal=terminal)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", samples.EXAMINATIONS)
def test_no_line_is_wider_than_the_screen(name: str, width: int) -> None:
    """Nothing is broken by the terminal itself, and no line ends in spaces."""
    for line in text_of(samples.EXAMINATIONS[name], width).splitlines():
        assert len(line) <= width
        assert line == line.rstrip()


@pytest.mark.parametrize("name", samples.EXAMINATIONS)
def test_a_pipe_gets_no_escape_sequences(name: str) -> None:
    """Colours are for terminals; the words are the same."""
    piped = text_of(samples.EXAMINATIONS[name])
    coloured = text_of(samples.EXAMINATIONS[name], terminal=True)
    assert ESCAPE not in piped
    assert ESCAPE in coloured


@pytest.mark.parametrize(
    "finding", samples.SEVEN, ids=lambda one: f"{one.rule}-{one.location.line}"
)
def test_every_finding_tells_rule_place_line_and_fix(finding: samples.Finding) -> None:
    """A reader finds the code, the place as a link, the source line and what mends it."""
    shown = text_of(samples.REFERENCE, 200)
    where = finding.location
    assert f"{finding.severity.value} {finding.rule} {finding.name}" in shown
    assert f"{where.path}:{where.line}:{where.column}" in shown
    assert f"{where.line} │ {finding.excerpt}" in shown
    assert finding.fix is not None
    assert finding.fix.title in shown


def test_worse_findings_come_first() -> None:
    """The order is that of harm."""
    shown = text_of(samples.REFERENCE)
    places = [shown.index(f"\n{severity.value} GD") for severity in list(Severity)[1:]]
    assert shown.startswith("critical GD")
    assert places == sorted(places)


def test_confirmed_evidence_is_told_in_words_and_numbers() -> None:
    """The measurement behind a status can be read."""
    shown = flat(text_of(samples.REFERENCE))
    assert (
        "confirmed by gradient-flow: 2 parameters get no gradient (trigger_head.weight, "
        "trigger_head.bias); they get one with this no_grad taken away"
    ) in shown
    assert "42 of 84 rows that reasoner.experts computed never reach the output" in shown


def test_a_suspicion_says_why_nothing_measured_it() -> None:
    """What blocks the measurement is named, and the fix is called unsafe."""
    shown = flat(text_of(samples.REFERENCE))
    assert "suspected blocked by the import at reference_models/gpt5_model.py:18" in shown
    assert "(unsafe: --unproven)" in shown


def test_a_refuted_finding_is_one_quiet_sentence() -> None:
    """It is neither shown as a finding nor counted as one."""
    shown = flat(text_of(samples.REFERENCE))
    assert "refuted GD101 no-grad-in-forward at reference_models/gpt4o_model.py:177" in shown
    assert "@torch.no_grad()" not in text_of(
        dataclasses.replace(samples.REFERENCE, findings=(samples.REFUTED,))
    )
    assert "8 findings: 2 critical, 2 high, 3 medium, 1 low; 7 confirmed, 1 suspected." in shown


def test_every_model_tells_verdict_and_reasons() -> None:
    """The verdict stands beside the name, with why and with what was measured."""
    shown = flat(text_of(samples.EVERYTHING))
    assert "GPTo3Model untrainable reference_models/gpto3_model.py:127" in shown
    assert "keeps the gradient from 2 parameters" in shown
    assert "loss 4.58 → 0.02 in 60 steps on one small batch, below a tenth after 24" in shown
    assert "specimen 48,211 parameters, run by `forward` with B=5, T=5" in shown
    assert "OddModel unexamined" in shown
    assert "5 models: 3 untrainable, 1 unexamined, 1 trainable." in shown


def test_what_was_not_measured_is_said_once_for_each_reason() -> None:
    """An unmeasured probe is never passed over in silence."""
    shown = flat(text_of(samples.REFERENCE))
    assert "unmeasured gradient-flow, learning: the forward pass fails at B=3, T=7" in shown
    assert "unmeasured gradient-flow, learning, shapes, for the reason above" in shown
    blocked = tuple(UnmeasuredProbe(probe=f"probe-{n}", reason="crashed") for n in range(7))
    model = dataclasses.replace(samples.FIVE_MODEL, unmeasured=blocked)
    shown = flat(text_of(dataclasses.replace(samples.REFERENCE, models=(model,))))
    assert (
        "unmeasured 7 probes (probe-0, probe-1, probe-2, probe-3 and 3 more), for the reason above"
        in shown
    )
    model = dataclasses.replace(model, reasons=())
    shown = flat(text_of(dataclasses.replace(samples.REFERENCE, models=(model,))))
    assert "unmeasured 7 probes (probe-0, probe-1, probe-2, probe-3 and 3 more): crashed" in shown


def test_a_long_reason_is_told_once() -> None:
    """It stands with the model; the suspicion and the probes that it is behind point there."""
    reason = "the model was built, and no call of it works: " + "model(ids): ValueError; " * 8
    finding = dataclasses.replace(
        samples.SEVEN[0], evidence=Evidence(status=Status.SUSPECTED, reason=reason)
    )
    model = dataclasses.replace(
        samples.FOUR_O_MODEL,
        reasons=(reason,),
        unmeasured=(UnmeasuredProbe(probe="learning", reason=reason),),
    )
    examination = dataclasses.replace(samples.REFERENCE, findings=(finding,), models=(model,))
    shown = flat(text_of(examination))
    assert shown.count("no call of it works") == 1
    assert "not measured, for the reason that is given with GPT4oModel below" in shown
    short = dataclasses.replace(finding, evidence=dataclasses.replace(finding.evidence, reason="x"))
    model = dataclasses.replace(model, reasons=("x",))
    examination = dataclasses.replace(examination, findings=(short,), models=(model,))
    assert "suspected x" in flat(text_of(examination))


def test_what_is_alike_is_told_once_with_every_place() -> None:
    """Five imports of one missing package are one block; another fix makes another block."""
    first = samples.SEVEN[0]
    second = dataclasses.replace(
        first, location=dataclasses.replace(first.location, path="other.py"), excerpt="other = 1"
    )
    assert first.fix is not None
    shown_only = dataclasses.replace(first.fix, applicability=Applicability.DISPLAY)
    third = dataclasses.replace(first, fix=shown_only)
    findings = (first, second, third)
    shown = text_of(dataclasses.replace(samples.REFERENCE, findings=findings, models=()), 200)
    said = first.message[:40]
    assert shown.count(said) == 2
    assert shown.index("other = 1") < shown.index(said)
    assert "(display: shown, never written)" in shown
    assert "3 findings:" in shown


@pytest.mark.parametrize("width", WIDTHS)
def test_the_next_command_is_never_broken(width: int) -> None:
    """However long it is, it can be copied from the screen."""
    target = f"models/{'deep/' * 12}gpt.py"

    def draw(console: Console) -> None:
        print_examination(console, samples.REFERENCE, targets=(target,))

    shown = printed(draw, width)
    assert f"\nNext: gptdoctor fix {target}" in shown
    assert flat(shown).endswith(f"{target} shows 7 repairs, proven without touching your files.")


def test_files_that_could_not_be_read_are_named() -> None:
    """Errors with their place and message; files without a model by reason."""
    shown = flat(text_of(samples.EVERYTHING))
    assert "syntax error models/broken.py:3 '(' was never closed" in shown
    assert "skipped models/empty.py: empty" in shown
    assert "skipped models/helpers.py: no model found" in shown


def test_the_last_lines_say_why_it_failed_and_what_comes_next() -> None:
    """The gate's reasons, then a command that can be pasted."""
    lines = text_of(samples.REFERENCE, 200).strip().splitlines()
    assert lines[-3] == "Failed: 4 findings at or above high and GPTo3Model is untrainable."
    assert lines[-2] == "Why: gptdoctor explain GD201 says why it harms, and how to silence it."
    assert lines[-1].startswith("Next: gptdoctor fix 'models dir' shows 7 repairs")


def test_of_many_findings_the_rule_that_leads_the_table_is_explained() -> None:
    """It is the one that a reader has before his eyes."""
    lines = text_of(many(30), 120).splitlines()
    told = next(line for line in lines if line.startswith("Why: gptdoctor explain "))
    table = next(line for line in lines if line.startswith("critical  GD"))
    assert told.split()[3] == table.split()[1]


def test_a_folder_without_sources_is_told_as_such() -> None:
    """And no command is named that would find as little."""
    nothing = dataclasses.replace(
        samples.NOTHING,
        files=0,
        environment=dataclasses.replace(samples.NOTHING.environment, live=False),
    )
    shown = flat(text_of(nothing))
    assert "No files read: of .py and .ipynb, exclude and .gitignore leave none." in shown
    assert "Next:" not in shown


def test_without_a_run_no_verdict_is_given() -> None:
    """A static check says that nothing was run, and what runs it."""
    shown = flat(text_of(samples.STATIC))
    assert "nothing was run, so all are suspected (--static)" in shown
    assert "GPT4oModel not run" in shown
    assert "trainable" not in shown.replace("GPTo3Model is untrainable", "")
    assert "Next: gptdoctor check 'models dir' runs the models" in shown


def test_trouble_of_the_tool_is_told() -> None:
    """When no model could be run at all, the reason stands beside the verdicts."""
    shown = flat(text_of(samples.TROUBLE))
    assert "No model was run: torch is not installed for /usr/bin/python3." in shown
    assert "3 models: 3 unexamined." in shown


def test_a_folder_without_models_says_so() -> None:
    """Nothing found is not the same as nothing wrong."""
    assert "No model found." in text_of(samples.NOTHING)


def test_a_healthy_model_is_short() -> None:
    """No findings: one block and two lines."""
    shown = text_of(samples.HEALTHY)
    assert "No findings." in shown
    assert "1 model: 1 trainable." in shown
    assert len(shown.splitlines()) < 12


def test_escape_sequences_in_the_users_text_are_shown_not_obeyed() -> None:
    """A message of an exception cannot paint on the terminal, and brackets are not markup."""
    hostile = dataclasses.replace(
        samples.NO_GRAD,
        message=f"{ESCAPE}]0;title\a [red]shapes [3, 7]",
        excerpt=f"x = '{ESCAPE}[2J'",
    )
    shown = text_of(dataclasses.replace(samples.REFERENCE, findings=(hostile,)))
    assert ESCAPE not in shown
    assert r"\x1b" in shown
    assert "[red]shapes [3, 7]" in shown
