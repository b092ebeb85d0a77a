"""What crosses the border, and what is stopped there."""

from __future__ import annotations

import importlib
import math
import pkgutil
from dataclasses import dataclass
from enum import Enum
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest

import gptdoctor.core.measurements as measurements
from gptdoctor.core.errors import ProtocolError
from gptdoctor.core.findings import Severity, Value
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.gradient_flow import GradientFlow
from gptdoctor.core.measurements.learning import Learning, LearningRun
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import Ending, Measured, Unmeasured
from gptdoctor.worker import protocol
from gptdoctor.worker.codec import from_plain, measurement_class, to_plain
from tests.worker.conftest import request_for


def sample(declared: Any) -> Any:
    """A value of a declared type, with something in every field."""
    origin, arguments = get_origin(declared), get_args(declared)
    if origin is UnionType:
        return sample(arguments[0])
    if origin is tuple:
        return (sample(arguments[0]), sample(arguments[0]))
    if origin is not None:
        return {"a/b.py": sample(arguments[1])}
    simple = {bool: True, int: 3, float: 0.1, str: 'zwölf\n"\x00\u2028'}
    if declared in simple:
        return simple[declared]
    return declared(**{name: sample(kind) for name, kind in get_type_hints(declared).items()})


def measurement_classes() -> list[type[Measurement]]:
    """All measurements that there are."""
    for entry in pkgutil.iter_modules(measurements.__path__):
        importlib.import_module(f"{measurements.__name__}.{entry.name}")
    return Measurement.__subclasses__()


def probe_of(kind: type[Measurement]) -> str:
    """The probe that fills in a measurement."""
    return kind.__module__.rpartition(".")[2].replace("_", "-")


@pytest.mark.parametrize("kind", measurement_classes(), ids=lambda kind: kind.__name__)
def test_every_measurement_survives_the_crossing(kind: type[Measurement]) -> None:
    """A measurement comes back equal, found by its probe's name alone."""
    sent = Measured(
        probe=probe_of(kind), measurement=sample(kind), executed={"m.py": (1, 2), "n.py": ()}
    )
    line = protocol.encode(sent)
    assert line.count(b"\n") == 1
    assert sent == protocol.decode_reply(line)


@pytest.mark.parametrize(
    "message",
    [
        protocol.Ready(torch=None, python="3.9.1", error="too old"),
        protocol.Started(process=7),
        protocol.Stage(stage="import"),
        protocol.Finished(),
        protocol.Output(text="\ud800 \x1b[31m".encode(errors="replace").decode()),
        Unmeasured(probe="sampling", reason="no generate"),
        protocol.Ended(ending=Ending(kind="exit", stage="", detail="status 0"), seconds=0.25),
    ],
    ids=lambda message: type(message).__name__,
)
def test_every_reply_survives_with_its_jobs_number(message: protocol.Reply) -> None:
    """A reply's line begins with the job that it is about."""
    number, rest = protocol.split_reply(protocol.address(12, protocol.encode(message)))
    assert (12, message) == (number, protocol.decode_reply(rest))


def test_every_request_survives() -> None:
    """Requests carry whole files as overlays."""
    from pathlib import Path

    request = request_for(Path("/p"), "m.py", overlay={"m.py": "x = 1\r\n\tü\n"}, build="M(3)")
    for message in (
        protocol.Examine(job=3, request=request),
        protocol.Cancel(job=3),
        protocol.Stop(),
    ):
        assert message == protocol.decode_request(protocol.encode(message))


def test_numbers_that_json_does_not_know_survive() -> None:
    """Infinity and what is no number are measurements as well."""
    run = LearningRun(
        learning_rate=1e-3, first_loss=math.inf, best_loss=-math.inf, steps=1, steps_to_tenth=None
    )
    sent = Learning(
        objective="", batch=1, length=2, runs=(run,), milliseconds_per_step=math.nan, crash=None
    )
    back = protocol.decode_reply(
        protocol.encode(Measured(probe="learning", measurement=sent, executed={}))
    )
    assert isinstance(back, Measured)
    assert isinstance(back.measurement, Learning)
    assert run == back.measurement.runs[0]
    assert math.isnan(back.measurement.milliseconds_per_step)


def test_enums_cross_as_their_values() -> None:
    """An enum is its value on the other side, and only its own values are taken."""
    assert to_plain(Severity.HIGH, Severity) == "high"
    assert from_plain("high", Severity) is Severity.HIGH
    with pytest.raises(ProtocolError, match="Severity: expected Severity, found str"):
        from_plain("awful", Severity)


@pytest.mark.parametrize(
    "value", ["a", 1, 1.5, True, None, (), ("a", "b"), (1, 2), (0.5, 1.0)], ids=repr
)
def test_values_of_findings_cross_with_their_types(value: Value) -> None:
    """A list of JSON's is a tuple again; 1 stays whole and 1.0 does not become whole."""
    crossed = from_plain(to_plain(value, Value), Value)
    assert (crossed, repr(crossed)) == (value, repr(value))


@pytest.mark.parametrize("wrong", [{}, {"a": 1}, [[1]], [{}]], ids=repr)
def test_what_is_no_value_is_refused(wrong: object) -> None:
    """Nothing nested crosses as a value."""
    with pytest.raises(ProtocolError, match="expected Value"):
        from_plain(wrong, Value)


PLAIN = to_plain(Crash(stage="s", kind="k", message="m", shapes=("x [3]",)), Crash)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"line": "7"}, "Crash.line: expected int, found str"),
        ({"line": True}, "Crash.line: expected int, found bool"),
        ({"line": 7.0}, "Crash.line: expected int, found float"),
        ({"kind": None}, "Crash.kind: expected str, found NoneType"),
        ({"shapes": "x"}, "Crash.shapes: expected list, found str"),
        ({"shapes": ["x", 3]}, r"Crash.shapes\[1\]: expected str, found int"),
        ({"raised_there": 1}, "Crash.raised_there: expected bool, found int"),
        ({"extra": 1}, r"unknown fields \['extra'\]"),
    ],
)
def test_what_is_not_as_declared_is_refused_by_field(
    change: dict[str, object], message: str
) -> None:
    """A wrong type, an unknown key or a missing key is an error that says where it is."""
    with pytest.raises(ProtocolError, match=message):
        from_plain({**PLAIN, **change}, Crash)


def test_a_missing_field_is_refused_even_where_it_has_a_default() -> None:
    """Both ends are of one version: what is left out was lost."""
    plain = {name: value for name, value in PLAIN.items() if name != "shapes"}
    with pytest.raises(ProtocolError, match=r"missing fields \['shapes'\]"):
        from_plain(plain, Crash)


def test_a_wrong_value_is_refused_before_it_is_sent() -> None:
    """What a probe filled in wrongly does not reach the wire."""
    wrong = Crash(stage="s", kind="k", message="m", shapes=["x"])  # type: ignore[arg-type]
    with pytest.raises(ProtocolError, match=r"Crash.shapes: expected tuple, found list"):
        to_plain(wrong, Crash)


def test_numbers_of_numpys_leave_as_plain_ones() -> None:
    """A subclass of float or int is sent, and an int for a float becomes one."""

    class Size(int):
        pass

    ended = protocol.Ended(ending=Ending(kind="", stage="", detail=""), seconds=Size(3))
    assert to_plain(ended, protocol.Ended) == {
        "ending": {"kind": "", "stage": "", "detail": ""},
        "seconds": 3.0,
    }


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"3",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"Stage": {}}',
        b'{"Stage": {"stage": "a"}, "Stop": {}}',
        b'{"Exec": {"code": ""}}',
        b'{"Examine": {"job": 1}}',
    ],
    ids=lambda line: repr(line[:20]),
)
def test_a_line_that_is_no_reply_is_refused(line: bytes) -> None:
    """Broken JSON, other shapes, unknown kinds and requests are all protocol errors."""
    with pytest.raises(ProtocolError):
        protocol.decode_reply(line)


@pytest.mark.parametrize("line", [b"", b"{}", b"x {}", b"-1 {}", b" {}"])
def test_a_reply_without_a_number_is_refused(line: bytes) -> None:
    """Every reply says which job it is about."""
    with pytest.raises(ProtocolError):
        protocol.split_reply(line)


@pytest.mark.parametrize(
    "probe", ["", "os", "record", "measurement", "crash", "../crash", "a.b", "Gradient-Flow", "é"]
)
def test_a_probe_name_that_leads_to_no_measurement_is_refused(probe: str) -> None:
    """The name on the wire imports nothing but a measurement's module."""
    with pytest.raises(ProtocolError):
        measurement_class(probe)


def test_a_probes_name_leads_to_its_measurement() -> None:
    """The name is all that is needed: nothing is registered."""
    assert measurement_class("gradient-flow") is GradientFlow


def test_a_type_without_a_plain_form_is_a_fault_of_ours() -> None:
    """A field that could not cross is found when its class is first used."""

    @dataclass(frozen=True)
    class Odd:
        value: complex

    with pytest.raises(ProtocolError, match="no plain form"):
        to_plain(Odd(1j), Odd)
    assert issubclass(Severity, Enum)
