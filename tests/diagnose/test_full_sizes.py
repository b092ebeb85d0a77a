"""The sizes that a file names itself: facts, notes, and the finding where its code breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gptdoctor.core.findings import Status
from gptdoctor.core.measurements.construction import SizedCrash
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.full_size import Configuration, FullSize
from gptdoctor.defects.shapes.crash_at_sane_sizes import DEFECT
from gptdoctor.diagnose.facts import facts_of
from gptdoctor.diagnose.notes import notes_of
from gptdoctor.judge import judge
from tests.diagnose.cases import PATH, measured, project, record


def configuration(**changes: Any) -> Configuration:
    """One that was run as a whole."""
    fields: dict[str, Any] = {
        "name": "default",
        "build": "Net()",
        "filled": (),
        "outcome": "ok",
        "reached": "backward",
        "reason": "",
        "parameters": 1000,
        "weight_bytes": 4000,
        "gradient_bytes": 3600,
        "adamw_bytes": 7200,
        "batch": 3,
        "length": 1024,
        "logits_shape": (3, 1024, 97),
        "largest_intermediate_bytes": 500,
        "failure": None,
    }
    return Configuration(**(fields | changes))


def full_size(*configurations: Configuration) -> FullSize:
    """The measurement of these."""
    return FullSize(specimen_parameters=10, configurations=configurations, seconds=0.5, stopped="")


def crashed(**changes: Any) -> Configuration:
    """The default, whose code breaks in its forward pass."""
    fields: dict[str, Any] = {
        "stage": "forward",
        "kind": "RuntimeError",
        "message": "shape '[3, 7, 24, 85]' is invalid for input of size 43008",
        "path": PATH,
        "symbol": "Net.helper",
        "line": 10,
        "statement": "return ids",
        "shapes": ("ids [3, 7]",),
    }
    failure = SizedCrash(
        build="Net()",
        call="model(ids)",
        sizes={"width": 2048, "batch": 3, "length": 7},
        crash=Crash(**(fields | changes)),
    )
    return configuration(
        outcome="crashed", reached="construction", reason="RuntimeError", failure=failure
    )


def test_facts_are_lists_of_one_length() -> None:
    """One member for each configuration, 0 where a number is not known."""
    unbuilt = configuration(
        name="config_7b",
        outcome="stopped",
        reached="nothing",
        reason="data-dependent code at model.py:8",
        parameters=0,
        weight_bytes=0,
        gradient_bytes=0,
        adamw_bytes=0,
        largest_intermediate_bytes=None,
        filled=("vocab_size",),
    )
    facts = facts_of(record(measured("full-size", full_size(configuration(), unbuilt))))
    assert facts["full_sizes"] == ("default", "config_7b")
    assert facts["parameters_full"] == (1000, 0)
    assert facts["weight_bytes"] == (4000, 0)
    assert facts["gradient_bytes"] == (3600, 0)
    assert facts["adamw_bytes"] == (7200, 0)
    assert facts["largest_intermediate_bytes"] == (500, 0)
    assert facts["full_size_checks"] == (
        "forward and backward run at B=3, T=1024",
        "not built: data-dependent code at model.py:8, with vocab_size of our choice",
    )


def test_what_stopped_says_that_the_specimen_is_all_that_was_run() -> None:
    """Nothing that was not run is told as if it had been."""
    stops = [
        configuration(outcome="stopped", reached=reached, reason="data-dependent code")
        for reached in ("construction", "forward")
    ]
    facts = facts_of(record(measured("full-size", full_size(*stops))))
    assert facts["full_size_checks"] == (
        "shapes were checked on the specimen alone: data-dependent code",
        "forward runs at B=3, T=1024; backward was checked on the specimen alone: "
        "data-dependent code",
    )


def test_no_configuration_gives_no_facts() -> None:
    """A file that names no sizes is not said to have any."""
    assert "full_sizes" not in facts_of(record(measured("full-size", full_size())))


def test_a_default_that_breaks_is_a_finding_and_no_note(tmp_path: Path) -> None:
    """GD302 at the line that fails, with the shapes; it is told once."""
    told = record(measured("full-size", full_size(crashed())))
    [conviction] = [one for one in judge(told) if one.rule == DEFECT.code]
    assert conviction.status is Status.CONFIRMED
    assert conviction.place is not None
    assert (conviction.place.path, conviction.place.line) == (PATH, 10)
    assert "at the sizes of its own Net(), and works at smaller ones" in conviction.message
    assert conviction.values["shapes"] == ("ids [3, 7] = [B, T]",)
    assert notes_of(project(tmp_path), told) == ()


def test_a_check_that_refuses_the_default_is_a_note(tmp_path: Path) -> None:
    """A requirement of the user's own that the default breaks: worth knowing, no crash of code."""
    refused = crashed(kind="AssertionError", message="no", stage="construction")
    told = record(measured("full-size", full_size(refused)))
    assert list(judge(told)) == []
    assert notes_of(project(tmp_path), told) == (
        "at the sizes of its own `Net()` the model does not run: "
        "AssertionError in construction at model.py:10: no",
    )


def test_a_named_configuration_that_breaks_is_a_note(tmp_path: Path) -> None:
    """It may be meant for another model, so it convicts none."""
    fields = vars(crashed()) | {"name": "vision_config", "build": "Net(vision_config)"}
    told = record(measured("full-size", full_size(Configuration(**fields))))
    assert list(judge(told)) == []
    [note] = notes_of(project(tmp_path), told)
    assert note.startswith("at the sizes of its own `Net(vision_config)` the model does not run")
