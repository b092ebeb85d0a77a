"""What is told of a model beside its findings."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from gptdoctor.core.findings import Place, Status
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.gradient_flow import (
    GradientFlow,
    LostGradient,
    ParameterGradient,
    UnusedPart,
)
from gptdoctor.core.measurements.import_dependencies import (
    ImportDependencies,
    ImportFailure,
    SkippedStatement,
)
from gptdoctor.diagnose.notes import notes_of, set_aside_declared
from tests.diagnose import cases

FAILURE = ImportFailure(
    path=cases.PATH,
    line=1,
    module="einops.layers",
    name=None,
    guarded=False,
    needed=True,
    error="ModuleNotFoundError: No module named 'einops'",
)


def declare(folder: Path) -> None:
    """The project says that it needs einops."""
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "x"\ndependencies = ["einops>=0.7"]\n'
    )


def imports(*failures: ImportFailure) -> ImportDependencies:
    """Imports that failed."""
    return ImportDependencies(imported=False, failures=failures, seconds=0.1)


def test_a_declared_package_is_a_note_once(tmp_path: Path) -> None:
    """Two imports of one package that is not installed are one thing to do."""
    declare(tmp_path)
    record = cases.record(
        cases.measured(
            "import-dependencies", imports(FAILURE, dataclasses.replace(FAILURE, line=2))
        )
    )
    notes = notes_of(cases.project(tmp_path), record)
    assert len(notes) == 1
    assert notes[0].startswith("einops")


def test_an_optional_package_is_no_news(tmp_path: Path) -> None:
    """What the user's own guard lets pass is not told."""
    declare(tmp_path)
    guarded = dataclasses.replace(FAILURE, guarded=True)
    record = cases.record(cases.measured("import-dependencies", imports(guarded)))
    assert notes_of(cases.project(tmp_path), record) == ()


def test_a_declared_package_convicts_nobody(tmp_path: Path) -> None:
    """It is missing here, not in the code; what nobody declares stays a conviction."""
    project = cases.project(tmp_path)
    conviction = cases.conviction(
        Status.CONFIRMED,
        rule="GD501",
        probe="import-dependencies",
        place=Place(path=cases.PATH, symbol="", line=1),
        values={"module": "einops.layers"},
    )
    assert set_aside_declared(project, (conviction,)) == (conviction,)
    declare(tmp_path)
    assert set_aside_declared(cases.project(tmp_path), (conviction,)) == ()


def test_idle_parts_are_a_note(tmp_path: Path) -> None:
    """A tower that this input does not run is named, and not called healthy."""
    idle = ParameterGradient(
        name="vision.weight", shape=(2, 2), state="none", largest=None, ran=False
    )
    flow = GradientFlow(
        objective="own loss", loss=4.6, batch=3, length=7, parameters=(idle,), cuts=(), crash=None
    )
    record = cases.record(cases.measured("gradient-flow", flow))
    notes = notes_of(cases.project(tmp_path), record)
    assert len(notes) == 1
    assert "vision.weight" in notes[0]
    assert "not measured" in notes[0]


def test_what_was_not_run_is_one_note_with_each_file(tmp_path: Path) -> None:
    """Lines and kinds of the first ones; how many more there are, and what fails for want of it."""

    def left_out(path: str, line: int, kind: str, error: str = "") -> SkippedStatement:
        return SkippedStatement(
            path=path, line=line, end_line=line + line % 2, kind=kind, text="", error=error
        )

    skipped = (
        left_out("model.py", 3, "failed", "FileNotFoundError: no such file"),
        left_out("model.py", 5, "dependent"),
        *(left_out("model.py", line, "call") for line in range(10, 24, 2)),
        left_out("data.py", 4, "arguments"),
    )
    measurement = dataclasses.replace(imports(), skipped=skipped)
    record = cases.record(cases.measured("import-dependencies", measurement))
    told = "not run, as the model is defined without it: "
    assert notes_of(cases.project(tmp_path), record) == (
        f"{told}model.py:3-4 (FileNotFoundError), 10 (call), 12 (call), 14 (call), 16 (call), "
        "18 (call) and 3 more; data.py:4 (command line)",
    )


def test_what_a_crash_kept_from_running_is_not_called_idle(tmp_path: Path) -> None:
    """A tower that no input reaches is a note; the layers behind a line that crashes are none."""
    head = ParameterGradient(name="head.weight", shape=(4,), state="none", largest=None, ran=False)
    flow = GradientFlow(
        objective="own loss", loss=None, batch=3, length=7, parameters=(head,), cuts=(), crash=None
    )
    crash = Crash(stage="forward", kind="RuntimeError", message="no kernel")
    notes = [
        notes_of(
            cases.project(tmp_path),
            cases.record(cases.measured("gradient-flow", dataclasses.replace(flow, crash=failed))),
        )
        for failed in (None, crash)
    ]
    assert "not exercised by this input: head.weight" in " ".join(notes[0])
    assert notes[1] == ()


def test_a_forgotten_part_is_a_finding_and_no_idle_one(tmp_path: Path) -> None:
    """What no text names is told by its rule; what some text names may well be idle."""
    norm = ParameterGradient(name="norm.weight", shape=(4,), state="none", largest=None, ran=False)
    part = UnusedPart(
        name="norm",
        parameters=("norm.weight",),
        numbers=4,
        path=cases.PATH,
        symbol="Net.__init__",
        line=6,
        named=False,
    )
    for named in (False, True):
        flow = GradientFlow(
            objective="own loss",
            loss=4.6,
            batch=3,
            length=7,
            parameters=(norm,),
            cuts=(),
            crash=None,
            unused=(dataclasses.replace(part, named=named),),
        )
        record = cases.record(cases.measured("gradient-flow", flow))
        assert bool(notes_of(cases.project(tmp_path), record)) is named


def test_what_only_a_log_hears_of_is_a_note(tmp_path: Path) -> None:
    """With the line at which it ends; what acts on the loss is no note."""
    lost = LostGradient(
        path=cases.PATH,
        symbol="Net.helper",
        line=10,
        operation="item",
        code="",
        parameters=("watch.weight",),
        acts=False,
        through_python=True,
        twin="",
        written=(),
        trail_from="watch.weight",
        trail=(),
    )
    for acts, told in ((False, ["used for no result: watch.weight"]), (True, [])):
        flow = GradientFlow(
            objective="own loss",
            loss=4.6,
            batch=3,
            length=7,
            parameters=(),
            cuts=(),
            crash=None,
            lost=(dataclasses.replace(lost, acts=acts),),
        )
        record = cases.record(cases.measured("gradient-flow", flow))
        notes = notes_of(cases.project(tmp_path), record)
        assert [note.partition(";")[0] for note in notes] == told
