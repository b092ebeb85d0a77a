"""Each fix is proven on what the others left, together with others or by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gptdoctor.core.events import Event, ProofStarted
from gptdoctor.core.repairs import Applicability, FixPromise, Outcome
from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.remedy import Remedy, Request
from gptdoctor.repair import plan as planning
from gptdoctor.repair.repair import RepairOptions, RepairResult, repair
from tests.repair.checkups import WORDS, FakeCheckup

Mend = Callable[[Request], str]


def replacing(new: str) -> Mend:
    """A codemod that writes `new` for the word in the finding's line."""

    def mend(request: Request) -> str:
        lines = request.source.text.split("\n")
        place = request.finding.location.line - 1
        word = next((one for one in WORDS if place < len(lines) and one in lines[place]), None)
        if word is None:
            raise Declined("the word is gone")
        lines[place] = lines[place].replace(word, new)
        return "\n".join(lines)

    return mend


def declining(request: Request) -> str:
    """A codemod that is never sure."""
    raise Declined("it is not clear")


@pytest.fixture
def remedies(monkeypatch: pytest.MonkeyPatch) -> dict[str, Remedy]:
    """The remedies by rule, for tests to replace."""
    table = {rule: Remedy(mend=replacing("well")) for rule in WORDS.values()}
    monkeypatch.setattr(planning, "remedy_of", table.get)
    return table


@pytest.fixture
def promises(monkeypatch: pytest.MonkeyPatch) -> dict[str, Applicability]:
    """What each rule's fix promises, for tests to replace."""
    table = dict.fromkeys(WORDS.values(), Applicability.SAFE)
    orders = {"GD501": 0, "GD301": 1, "GD101": 2, "GD601": 3}

    class Named:
        def __init__(self, rule: str) -> None:
            self.fix = FixPromise(
                applicability=table[rule], title=f"Mend {rule}", safety="", order=orders[rule]
            )

    monkeypatch.setattr(planning, "defect_named", Named)
    return table


@pytest.fixture(autouse=True)
def _faked(remedies: dict[str, Remedy], promises: dict[str, Applicability]) -> None:
    """Every test here runs without the catalog."""


def run(root: Path, files: dict[str, str], *, live: bool = True, **options: bool) -> RepairResult:
    """Repair a project of these files."""
    for name, text in files.items():
        (root / name).write_text(text)
    checkup = FakeCheckup(root, live=live)
    return repair(checkup, checkup.examine(), RepairOptions(**options))


def told(result: RepairResult) -> list[tuple[str, int, str]]:
    """Rule, line and outcome of every fix."""
    return [(one.rule, one.line, one.outcome.value) for one in result.outcomes]


def test_fixes_go_by_their_order_and_see_what_others_did(tmp_path: Path) -> None:
    """Import, crash, gradient, the rest; one patch for each file; nothing is written."""
    text = "a = SICK_LOSS\nb = SICK_GRAD\nc = SICK_GATE\n"
    result = run(tmp_path, {"model.py": text, "other.py": "x = SICK_GRAD\n"})
    assert told(result) == [
        ("GD301", 3, "proven"),
        ("GD101", 2, "proven"),
        ("GD101", 1, "proven"),
        ("GD601", 1, "proven"),
    ]
    patches = {patch.path: (patch.before, patch.after) for patch in result.patches}
    assert patches["model.py"] == (text, "a = well\nb = well\nc = well\n")
    assert patches["other.py"][1] == "x = well\n"
    assert (tmp_path / "model.py").read_text() == text
    assert result.examination.findings == ()


def test_each_outcome_holds_the_patch_of_that_fix_alone(tmp_path: Path) -> None:
    """Against the file as mended so far."""
    result = run(tmp_path, {"model.py": "a = SICK_LOSS\nb = SICK_GRAD\n"})
    second = result.outcomes[1].patch
    assert second is not None
    assert second.before == "a = SICK_LOSS\nb = well\n"
    assert second.after == "a = well\nb = well\n"


def test_a_mended_import_confirms_what_was_suspected(tmp_path: Path) -> None:
    """The plan is made anew: what was unsafe before is safe then."""
    result = run(tmp_path, {"model.py": "a = SICK_GRAD\nb = SICK_IMPORT\n"})
    assert told(result) == [("GD501", 2, "proven"), ("GD101", 1, "proven")]
    assert "newly measured: gradient-flow" in result.outcomes[0].reason
    assert result.outcomes[1].applicability is Applicability.SAFE
    assert result.patches[0].after == "a = well\nb = well\n"


def test_lines_are_those_on_disk(tmp_path: Path, remedies: dict[str, Remedy]) -> None:
    """Though an earlier fix has moved the text."""
    remedies["GD301"] = Remedy(mend=replacing("1\nc = 2\nd = 3"))
    result = run(tmp_path, {"model.py": "a = SICK_GATE\nb = SICK_GRAD\n"})
    assert told(result) == [("GD301", 1, "proven"), ("GD101", 2, "proven")]


def test_a_declined_fix_leaves_the_others(tmp_path: Path, remedies: dict[str, Remedy]) -> None:
    """With the remedy's own reason."""
    remedies["GD301"] = Remedy(mend=declining)
    result = run(tmp_path, {"model.py": "a = SICK_GATE\nb = SICK_GRAD\n"})
    assert told(result) == [("GD301", 1, "declined"), ("GD101", 2, "proven")]
    assert result.outcomes[0].reason == "it is not clear"
    assert result.patches[0].after == "a = SICK_GATE\nb = well\n"


FAILURES = {
    "the sign stays": ("SICK_GATE + 1", "the probe gradient-flow still shows the harm"),
    "the model gets worse": ("CRASH", "Model was degraded and became untrainable"),
    "a probe is lost": ("UNMEASURABLE", "the probe gradient-flow could no longer measure Model"),
    "another defect appears": ("SICK_LOSS", "GD601 gd601 is confirmed for Model since then"),
    "it cannot be parsed": ("(", "could no longer be read"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_fix_that_fails_its_proof_is_dropped(
    name: str, tmp_path: Path, remedies: dict[str, Remedy]
) -> None:
    """And the rest go on without it."""
    new, reason = FAILURES[name]
    remedies["GD301"] = Remedy(mend=replacing(new))
    result = run(tmp_path, {"model.py": "a = SICK_GATE\nb = SICK_GRAD\n"})
    assert told(result)[0] == ("GD301", 1, "failed")
    assert reason in result.outcomes[0].reason
    assert ("GD101", 2, "proven") in told(result)
    assert result.patches[0].after == "a = SICK_GATE\nb = well\n"


def test_a_codemod_that_is_never_done_fails(tmp_path: Path, remedies: dict[str, Remedy]) -> None:
    """A second run must change nothing."""

    def grows(request: Request) -> str:
        return request.source.text.replace("SICK_GATE", "well") + "# more\n"

    remedies["GD301"] = Remedy(mend=grows)
    result = run(tmp_path, {"model.py": "a = SICK_GATE\n"})
    assert "second run" in result.outcomes[0].reason
    assert result.patches == ()


def test_refuted_findings_are_mended_only_when_asked(tmp_path: Path) -> None:
    """A measurement outweighs the text."""
    files = {"model.py": "a = SICK_GATE  # REFUTED\n"}
    assert run(tmp_path, files).outcomes == ()
    assert told(run(tmp_path, files, refuted=True)) == [("GD301", 1, "unproven")]


def test_rules_that_are_not_wanted_are_left(tmp_path: Path) -> None:
    """What `--select` and `--ignore` leave out is not mended."""
    (tmp_path / "model.py").write_text("a = SICK_GATE\nb = SICK_GRAD\n")
    checkup = FakeCheckup(tmp_path)
    options = RepairOptions(wants=lambda rule: rule == "GD101")
    result = repair(checkup, checkup.examine(), options)
    assert told(result) == [("GD101", 2, "proven")]


def test_a_codemod_that_breaks_declines(tmp_path: Path, remedies: dict[str, Remedy]) -> None:
    """A fault of one of ours stops no other."""

    def breaking(request: Request) -> str:
        raise KeyError("x")

    remedies["GD301"] = Remedy(mend=breaking)
    result = run(tmp_path, {"model.py": "a = SICK_GATE\nb = SICK_GRAD\n"})
    assert told(result) == [("GD301", 1, "declined"), ("GD101", 2, "proven")]
    assert "the codemod failed on this code (KeyError" in result.outcomes[0].reason


def written(result: RepairResult) -> bool:
    """Whether anything is to be written."""
    return bool(result.patches)


def test_what_nothing_measured_needs_unproven(tmp_path: Path) -> None:
    """Without a run every finding is suspected and every fix unproven."""
    files = {"model.py": "a = SICK_GATE\n"}
    result = run(tmp_path, files, live=False)
    assert told(result) == [("GD301", 1, "unproven")]
    assert result.outcomes[0].applicability is Applicability.UNSAFE
    assert not written(result)
    assert not written(run(tmp_path, files, live=False, unsafe_fixes=True))
    assert written(run(tmp_path, files, live=False, unproven=True))


def test_a_guess_needs_unsafe_fixes(tmp_path: Path, promises: dict[str, Applicability]) -> None:
    """Even when it is proven; unproven ones need both."""
    promises["GD301"] = Applicability.UNSAFE
    files = {"model.py": "a = SICK_GATE\n"}
    result = run(tmp_path, files)
    assert told(result) == [("GD301", 1, "proven")]
    assert not written(result)
    assert written(run(tmp_path, files, unsafe_fixes=True))
    assert not written(run(tmp_path, files, live=False, unproven=True))
    assert written(run(tmp_path, files, live=False, unproven=True, unsafe_fixes=True))


def test_a_remedy_may_limit_an_instance(tmp_path: Path, remedies: dict[str, Remedy]) -> None:
    """Its weaker form is never safe."""
    remedies["GD301"] = Remedy(mend=replacing("well"), limit=lambda request: Applicability.UNSAFE)
    files = {"model.py": "a = SICK_GATE\n"}
    result = run(tmp_path, files)
    assert result.outcomes[0].applicability is Applicability.UNSAFE
    assert not written(result)
    assert written(run(tmp_path, files, unsafe_fixes=True))


def test_what_is_for_display_is_shown_and_never_written(
    tmp_path: Path, promises: dict[str, Applicability]
) -> None:
    """With its patch, and without a proof."""
    promises["GD301"] = Applicability.DISPLAY
    files = {"model.py": "a = SICK_GATE\n"}
    result = run(tmp_path, files, unsafe_fixes=True, unproven=True)
    assert told(result) == [("GD301", 1, "unproven")]
    assert result.outcomes[0].patch is not None
    assert not written(result)


def examined(
    root: Path, files: dict[str, str]
) -> tuple[RepairResult, list[frozenset[str] | None], list[Event]]:
    """The repair, the files whose models each examination was about, and what was announced."""
    for name, text in files.items():
        (root / name).write_text(text)
    checkup = FakeCheckup(root)
    seen: list[Event] = []
    result = repair(checkup, checkup.examine(), RepairOptions(), seen.append)
    assert checkup.runs[-1][0] == {patch.path: patch.after for patch in result.patches}
    return result, [paths for _, paths in checkup.runs], seen


MODEL = frozenset({"model.py"})


def test_only_the_models_of_a_file_are_examined_for_a_proof(tmp_path: Path) -> None:
    """And all of them once more at the end, with all patches."""
    files = {"model.py": "a = SICK_GATE\n", "other.py": "b = 1\n", "third.py": "c = 1\n"}
    result, runs, seen = examined(tmp_path, files)
    assert runs == [None, MODEL, None]
    assert [model.name for model in result.examination.models] == ["Model", "Other", "Third"]
    assert seen == [ProofStarted(rule="GD301", path="model.py", index=1, total=1)]


def test_the_last_proof_is_the_examination_of_what_will_be_written(tmp_path: Path) -> None:
    """Where it is about most models anyway: none is examined twice with the same texts."""
    files = {"model.py": "a = SICK_GATE\n", "other.py": "b = 1\n"}
    result, runs, _ = examined(tmp_path, files)
    assert runs == [None, None]
    assert [model.name for model in result.examination.models] == ["Model", "Other"]
    assert result.examination.findings == ()


def test_fixes_that_do_not_touch_are_proven_at_once(tmp_path: Path) -> None:
    """In all files; what lets a model run comes before, for it shows what else there is."""
    files = {
        "model.py": "a = SICK_GATE\nb = SICK_GRAD\nc = 1\nd = SICK_LOSS\n",
        "other.py": "x = SICK_GRAD\n",
    }
    result, runs, seen = examined(tmp_path, files)
    assert runs == [None, MODEL, None]
    assert [(rule, how) for rule, _, how in told(result)] == [
        ("GD301", "proven"),
        ("GD101", "proven"),
        ("GD101", "proven"),
        ("GD601", "proven"),
    ]
    assert [one.reason.rpartition("; ")[2] for one in result.outcomes][1:] == [
        "shown together with 2 other fixes"
    ] * 3
    assert seen == [
        ProofStarted(rule="GD301", path="model.py", index=1, total=4),
        ProofStarted(rule="GD101", path="model.py", index=2, total=4, together=3),
    ]


def test_one_that_fails_is_found_among_those_that_were_tried_together(
    tmp_path: Path, remedies: dict[str, Remedy]
) -> None:
    """The others are taken up, by ever smaller parts, and the reason is that of the one."""
    remedies["GD601"] = Remedy(mend=replacing("CRASH"))
    names = [f"m{number}.py" for number in range(6)]
    files = dict.fromkeys(names, "x = SICK_GRAD\n") | {"bad.py": "x = SICK_LOSS\n"}
    result, _, _ = examined(tmp_path, files)
    assert [one.path for one in result.outcomes if one.outcome is Outcome.PROVEN] == names
    assert [one.reason for one in result.outcomes if one.outcome is Outcome.FAILED] == [
        "Bad was degraded and became untrainable"
    ]
    assert [patch.path for patch in result.patches] == names


def test_a_fix_that_is_not_certain_to_be_written_is_tried_alone(
    tmp_path: Path, promises: dict[str, Applicability]
) -> None:
    """Else the others would be proven with what will not be there."""
    promises["GD101"] = Applicability.UNSAFE
    text = "a = SICK_GRAD\nb = 1\nc = SICK_LOSS\n"
    result, runs, _ = examined(tmp_path, {"model.py": text, "other.py": "x = 1\n"})
    assert runs == [None, MODEL, None]
    assert [one.reason.count("together") for one in result.outcomes] == [0, 0]
    assert result.patches[0].after == "a = SICK_GRAD\nb = 1\nc = well\n"


def test_line_ends_and_marks_are_kept_in_patches_and_not_in_overlays(tmp_path: Path) -> None:
    """The scan and the worker take plain line ends; the user's file keeps its own."""
    (tmp_path / "model.py").write_bytes("\ufeffa = SICK_GATE\r\n".encode())
    checkup = FakeCheckup(tmp_path)
    result = repair(checkup, checkup.examine(), RepairOptions())
    assert result.patches[0].after == "a = well\r\n"
    assert checkup.runs[-1][0] == {"model.py": "a = well\n"}


def test_two_alike_in_one_place_are_both_mended(tmp_path: Path) -> None:
    """The same line twice is two findings."""
    result = run(tmp_path, {"model.py": "a = SICK_GATE\na = SICK_GATE\n"})
    assert [one.outcome for one in result.outcomes] == [Outcome.PROVEN] * 2
    assert result.patches[0].after == "a = well\na = well\n"
