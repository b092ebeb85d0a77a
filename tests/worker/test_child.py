"""What one job tells, with probes and a builder of the tests' own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from gptdoctor.core.measurements.construction import Construction  # noqa: E402
from gptdoctor.core.measurements.crash import Crash  # noqa: E402
from gptdoctor.core.measurements.expert_routing import ExpertRouting  # noqa: E402
from gptdoctor.core.measurements.import_dependencies import ImportDependencies  # noqa: E402
from gptdoctor.core.measurements.record import Measured, Unmeasured  # noqa: E402
from gptdoctor.core.specimens import ExamineRequest  # noqa: E402
from gptdoctor.probes.chosen import chosen_probes  # noqa: E402
from gptdoctor.probes.probe import Abstention, Probe  # noqa: E402
from gptdoctor.worker import child  # noqa: E402
from gptdoctor.worker.protocol import ChildReply, encode  # noqa: E402
from tests.worker.conftest import HEALTHY, request_for, write  # noqa: E402

Examine = Callable[..., list[ChildReply]]
ROUTING = ExpertRouting(lists=())


def probe(
    measure: Callable[[Any], Any], order: int = 1, *, records: bool = True, seconds: float = 20.0
) -> Probe:
    """A probe that measures as it is told."""
    return Probe(
        name="expert-routing",
        order=order,
        measure=measure,
        records_lines=records,
        seconds=seconds,
    )


@pytest.fixture
def examine(tmp_path: Path, same_process: None, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Runs one job in this process and returns its messages."""

    def examine(
        *probes: Probe,
        text: str = HEALTHY,
        built: str = "built",
        build: Callable[[Any, ExamineRequest], Any] | None = None,
    ) -> list[ChildReply]:
        def stand_in(module: Any, request: ExamineRequest) -> tuple[Construction, object | None]:
            crash = Crash(stage="construction", kind="KeyError", message="'d'", path="m.py", line=7)
            return child.not_built(
                request, built, crash=crash if built == "crashed" else None, tried=("Tiny()",)
            ), (module.Tiny() if built == "built" else None)

        monkeypatch.setattr(child, "build_specimen", build or stand_in)
        monkeypatch.setattr(child, "chosen_probes", lambda names, without, fast: iter(probes))
        write(tmp_path, {"m.py": text})
        messages: list[ChildReply] = []

        def send(message: ChildReply) -> None:
            encode(message)
            messages.append(message)

        child.run_job(request_for(tmp_path, "m.py"), send)
        return messages

    return examine


def test_each_stage_is_announced_before_it_begins(examine: Examine) -> None:
    """A job that hangs or dies has said in what."""
    messages = examine(probe(lambda specimen: ROUTING))
    kinds = [getattr(each, "stage", None) or f"={getattr(each, 'probe', '')}" for each in messages]
    assert kinds == [
        "import",
        "=import-dependencies",
        "construction",
        "=construction",
        "expert-routing",
        "=expert-routing",
    ]


def test_measurements_carry_the_lines_that_ran(examine: Examine) -> None:
    """The import runs the file's top level; a probe, the method that it calls."""

    def call(model: Any) -> ExpertRouting:
        model(torch.zeros(1, 2, dtype=torch.int64))
        return ROUTING

    messages = examine(probe(call), probe(call, records=False))
    executed = [each.executed for each in messages if isinstance(each, Measured)]
    assert [each["m.py"] for each in executed[:3]] == [(1, 2, 4, 5, 10), (6, 7, 8), (11,)]
    assert executed[3] == {}


def test_a_file_that_a_probe_made_the_code_load_is_told_at_the_end(
    examine: Examine, tmp_path: Path
) -> None:
    """A result rests on it as on those that the import loaded."""
    write(tmp_path, {"loaded_late.py": ""})
    text = HEALTHY.replace("return self.head", "import loaded_late; return self.head")

    def call(model: Any) -> ExpertRouting:
        model(torch.zeros(1, 2, dtype=torch.int64))
        return ROUTING

    messages = examine(probe(call), text=text)
    files = [
        # The tests themselves are loaded here, outside the project.
        [file for file in each.measurement.files if not Path(file).is_absolute()]
        for each in messages
        if isinstance(each, Measured) and isinstance(each.measurement, ImportDependencies)
    ]
    assert files == [["m.py"], ["m.py", "loaded_late.py"]]


def fails(error: BaseException) -> Callable[[Any], Any]:
    """A measuring function that raises."""

    def measure(specimen: Any) -> Any:
        raise error

    return measure


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Abstention("it has no generate"), "it has no generate"),
        (TypeError("no"), "TypeError: no at worker/test_child.py:"),
        (SystemExit(3), "SystemExit: 3 at "),
        (KeyboardInterrupt(), "KeyboardInterrupt:  at "),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_probe_that_fails_says_why_and_the_next_one_runs(
    examine: Examine, error: BaseException, reason: str
) -> None:
    """Whatever a probe raises, it is unmeasured with the reason, and the job goes on."""
    messages = examine(probe(fails(error)), probe(lambda specimen: ROUTING))
    unmeasured = [each for each in messages if isinstance(each, Unmeasured)]
    assert unmeasured[0].reason.startswith(reason)
    assert isinstance(messages[-1], Measured)


def test_a_measurement_that_is_not_as_declared_is_told(examine: Examine) -> None:
    """A probe's slip is the tool's own fault, and costs that measurement alone."""
    wrong = ExpertRouting(lists=[])  # type: ignore[arg-type]
    messages = examine(probe(lambda specimen: wrong), probe(lambda specimen: ROUTING))
    [unmeasured] = [each for each in messages if isinstance(each, Unmeasured)]
    assert "measurement.lists: expected tuple, found list" in unmeasured.reason
    assert isinstance(messages[-1], Measured)


@pytest.mark.parametrize(
    ("text", "built", "reason"),
    [
        (HEALTHY, "not-built", "not built: Tiny()"),
        (HEALTHY, "crashed", "crashed: KeyError: 'd' at m.py:7"),
        (
            "import sys\nclass Tiny:\n    sys.exit('bye')",
            "built",
            "cannot be imported: SystemExit: bye at m.py:3",
        ),
        ("x = 1\ny = z\n", "built", "cannot be imported: NameError: name 'z' is not"),
    ],
)
def test_without_a_specimen_every_probe_is_unmeasured(
    examine: Examine, text: str, built: str, reason: str
) -> None:
    """No probe passes for lack of a model, and each says what was in its way."""
    messages = examine(probe(lambda specimen: ROUTING), text=text, built=built)
    last = messages[-1]
    assert isinstance(last, Unmeasured)
    assert last.reason.startswith(reason)
    construction = next(
        each.measurement
        for each in messages
        if isinstance(each, Measured) and isinstance(each.measurement, Construction)
    )
    assert ("not-built" if built == "not-built" else "crashed") == construction.outcome


def test_a_fault_of_the_builder_is_no_crash_of_the_users(examine: Examine) -> None:
    """An error in gptdoctor's own builder leaves the model not built, with the error told."""

    def build(module: Any, request: ExamineRequest) -> Any:
        raise AssertionError("ours")

    messages = examine(build=build)
    last = messages[-1]
    assert isinstance(last, Measured)
    assert isinstance(last.measurement, Construction)
    assert last.measurement.outcome == "not-built"
    assert "AssertionError: ours" in last.measurement.tried[0]


def test_need_of_a_missing_import_is_told_after_the_construction(examine: Examine) -> None:
    """The dependencies are sent again when building the model asked for what is missing."""
    text = "from gone import Block\n" + HEALTHY.replace("super()", "Block(); super()")

    def build(module: Any, request: ExamineRequest) -> Any:
        with pytest.raises(ImportError):
            module.Tiny()
        return child.not_built(request, "crashed"), None

    messages = examine(text=text, build=build)
    found = [
        each.measurement.failures[0].needed
        for each in messages
        if isinstance(each, Measured) and isinstance(each.measurement, ImportDependencies)
    ]
    assert found == [False, True]


def test_random_numbers_start_the_same_for_each_probe(examine: Examine) -> None:
    """What one probe draws does not depend on those before it."""
    drawn = []

    def draw(specimen: Any) -> ExpertRouting:
        import random

        drawn.append((random.random(), torch.rand(1).item()))
        return ROUTING

    examine(probe(draw), probe(draw))
    assert drawn[0] == drawn[1]


def test_all_probes_of_the_package_can_be_loaded() -> None:
    """Every module in `probes/` but the form itself holds a probe of its own name."""
    found = list(child.chosen_probes(()))
    assert all(isinstance(each, Probe) for each in found), found
    assert sorted(found, key=lambda each: each.order) == found
    assert not list(child.chosen_probes(("none",)))


def test_a_probe_that_takes_too_long_is_ended_and_the_next_one_has_its_turn(
    examine: Examine,
) -> None:
    """What swallows every Exception does not keep it from ending."""

    def endless(specimen: Any) -> ExpertRouting:
        while True:
            try:
                sum(range(1000))
            except Exception:
                continue

    messages = examine(probe(endless, seconds=0.1), probe(lambda specimen: ROUTING, order=2))
    late = [one for one in messages if isinstance(one, Unmeasured)]
    assert [one.reason for one in late] == ["it took over 0.1 s"]
    measured = [one for one in messages if isinstance(one, Measured)]
    assert measured[-1].measurement == ROUTING
    assert measured[-1].seconds >= 0


def test_the_quick_probes_are_some_of_all() -> None:
    """`--fast` leaves out, and adds nothing; what says whether a model can learn is among them."""
    names = [one.name for one in chosen_probes((), fast=True) if isinstance(one, Probe)]
    every = [one.name for one in chosen_probes(()) if isinstance(one, Probe)]
    assert set(names) < set(every)
    assert {"gradient-flow", "learning"} <= set(names)
